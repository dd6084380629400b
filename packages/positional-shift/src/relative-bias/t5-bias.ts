import { checkOptions, checkTensor, einsum, embedding, OptionError, ShapeError } from '@mixfold/tensor-ops';
import { type Tensor1D, type Tensor2D, type Tensor3D, tensor1d } from '@tensorflow/tfjs-core';
import { relativePositionBias } from './relative-position-bias';

/** Options of the buckets of T5. */
export interface T5Options {
  /** Default 32. */
  readonly buckets?: number | undefined;
  /** From this distance on all share the last bucket of their side. Default 128. */
  readonly maxDistance?: number | undefined;
  /** Whether sources after the target have buckets of their own, half of all, as in an encoder; else they share that of distance 0. Default true. */
  readonly bidirectional?: boolean | undefined;
}

const rules = { buckets: 'positiveInteger', maxDistance: 'positiveInteger', bidirectional: 'boolean' } as const;

/** Rounding errors of the logarithm must not move an exact power into the bucket before. */
const SLACK = 1e-9;

/** The bucket of one offset. */
function bucketOf(offset: number, buckets: number, maxDistance: number, bidirectional: boolean): number {
  const own = bidirectional ? buckets / 2 : buckets;
  const side = bidirectional && offset < 0 ? own : 0;
  const distance = bidirectional ? Math.abs(offset) : Math.max(0, offset);
  const exact = Math.floor(own / 2);
  if (distance < exact) return side + distance;
  const steps = Math.floor((Math.log(distance / exact) / Math.log(maxDistance / exact)) * (own - exact) + SLACK);
  return side + Math.min(own - 1, exact + steps);
}

/**
 * The bucket of every offset, as T5 groups relative positions: near ones have one each, farther ones share by the logarithm of their distance.
 *
 * @param N - Length of the sequence.
 * @param options - `buckets` (default 32), `maxDistance` (128), `bidirectional` (true).
 * @returns `[2 N - 1]`, int32: column j is for the offset (target - source) `j - (N - 1)`. T5's own relative position, memory - query, is the opposite.
 * @throws OptionError for an N or buckets that cannot be: there must be at least 2 buckets, 4 and an even number if bidirectional, and `maxDistance` must exceed what has one each.
 * @see Raffel et al. 2020, https://arxiv.org/abs/1910.10683
 * @example
 * const buckets = t5Buckets(128);
 */
export function t5Buckets(N: number, options: T5Options = {}): Tensor1D {
  checkOptions('t5Buckets', options, rules);
  const { buckets = 32, maxDistance = 128, bidirectional = true } = options;
  if (!Number.isSafeInteger(N) || N < 1) throw new OptionError(`t5Buckets: N must be an integer above 0, got ${String(N)}`);
  const least = bidirectional ? 4 : 2;
  if (buckets < least || (bidirectional && buckets % 2 === 1)) {
    throw new OptionError(
      `t5Buckets: option buckets must be ${least} or more${bidirectional ? ', an even number,' : ''} for bidirectional ${bidirectional}, got ${buckets}`,
    );
  }
  const exact = Math.floor(buckets / (bidirectional ? 4 : 2));
  if (maxDistance <= exact) {
    throw new OptionError(
      `t5Buckets: option maxDistance must be above ${exact}, up to which each distance has a bucket, got ${maxDistance}`,
    );
  }
  const offsets = Array.from({ length: 2 * N - 1 }, (_, j) => j - (N - 1));
  return tensor1d(
    offsets.map((offset) => bucketOf(offset, buckets, maxDistance, bidirectional)),
    'int32',
  );
}

/**
 * The relative bias of T5, from its table.
 *
 * @param table - `[buckets, heads]`, float32, as T5 stores it; its rows say how many buckets there are.
 * @param N - Length of the sequence.
 * @param options - `maxDistance` (default 128), `bidirectional` (default true).
 * @returns `[heads, target, source]`: `bias` of `scaledDotProductAttention` (T5 itself does not scale its scores: `scale: 1`). New tensor; the caller disposes it.
 * @throws OptionError as `t5Buckets`; ShapeError if the table has not two axes.
 * @remarks Differentiable in `table`.
 * @see Raffel et al. 2020, https://arxiv.org/abs/1910.10683
 * @example
 * const bias = t5Bias(table, 128, { bidirectional: false });
 */
export function t5Bias(table: Tensor2D, N: number, options: Omit<T5Options, 'buckets'> = {}): Tensor3D {
  checkOptions('t5Bias', options, { maxDistance: rules.maxDistance, bidirectional: rules.bidirectional });
  checkTensor('t5Bias', 'table', table, ['float32']);
  if (table.rank !== 2) throw new ShapeError(`t5Bias: table must have 2 axes [buckets heads], got ${table.rank}`);
  const ids = t5Buckets(N, { ...options, buckets: table.shape[0] });
  const rows = embedding(table, ids);
  const values = einsum('jh->hj', rows) as Tensor2D;
  const bias = relativePositionBias(values, N);
  for (const made of [ids, rows, values]) made.dispose();
  return bias;
}
