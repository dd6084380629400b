import { OptionError } from '@mixfold/tensor-ops';
import { type Tensor1D, type Tensor3D, tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { relativePositionBias } from './relative-position-bias';

/** The slopes of `heads`, a power of two: a geometric sequence that ends at 2^-8. */
const geometric = (heads: number): number[] => Array.from({ length: heads }, (_, head) => 2 ** ((-8 * (head + 1)) / heads));

function slopesOf(functionName: string, heads: number): number[] {
  if (!Number.isSafeInteger(heads) || heads < 1) {
    throw new OptionError(`${functionName}: heads must be an integer above 0, got ${String(heads)}`);
  }
  const below = 2 ** Math.floor(Math.log2(heads));
  // Between two powers of two, as the authors do: those of the smaller one, then every second one of the larger one.
  const others = geometric(2 * below).filter((_, i) => i % 2 === 0);
  return [...geometric(below), ...others.slice(0, heads - below)];
}

/**
 * The slopes of ALiBi, one per head: a geometric sequence from `2^(-8 / heads)` down to 2^-8; for a number of heads that is no power of two as its authors fill it
 * up. They are not learned.
 *
 * @returns `[heads]`, float32.
 * @throws OptionError if `heads` is no integer above 0.
 * @see Press et al. 2022, https://arxiv.org/abs/2108.12409
 * @example
 * alibiSlopes(8); // 1/2, 1/4, ..., 1/256
 */
export function alibiSlopes(heads: number): Tensor1D {
  return tensor1d(slopesOf('alibiSlopes', heads), 'float32');
}

/**
 * The bias of ALiBi: the farther a source, the lower its score, by each head's slope times the distance.
 *
 * @param N - Length of the sequence.
 * @returns `[heads, target, source]`, `-slope |target - source|`: `bias` of `scaledDotProductAttention`, as a rule with `causal`. The caller disposes it.
 * @throws OptionError if `heads` or `N` is no integer above 0.
 * @see Press et al. 2022, https://arxiv.org/abs/2108.12409
 * @example
 * const output = scaledDotProductAttention(query, key, value, { bias: alibiBias(8, 128), causal: true });
 */
export function alibiBias(heads: number, N: number): Tensor3D {
  const slopes = slopesOf('alibiBias', heads);
  if (!Number.isSafeInteger(N) || N < 1) throw new OptionError(`alibiBias: N must be an integer above 0, got ${String(N)}`);
  const values = slopes.map((slope) => Array.from({ length: 2 * N - 1 }, (_, j) => -slope * Math.abs(j - (N - 1))));
  const table = tensor2d(values, [heads, 2 * N - 1], 'float32');
  const bias = relativePositionBias(table, N);
  table.dispose();
  return bias;
}
