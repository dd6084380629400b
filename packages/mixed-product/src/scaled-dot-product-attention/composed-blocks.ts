import { dropoutPlan, randomBits } from '@mixfold/tensor-ops';
import {
  abs,
  add,
  cast,
  fill,
  greater,
  lessEqual,
  logicalAnd,
  matMul,
  mul,
  notEqual,
  range,
  reshape,
  slice,
  sub,
  sum,
  type Tensor,
  type Tensor3D,
  tensor,
  tidy,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { type AttentionAttributes, pairShape } from './pair-shape';

export interface Inputs {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  mask?: Tensor | undefined;
  bias?: Tensor | undefined;
}

/** The score of a pair that is not attended, and the least that the largest score of a target may be: `e^(NONE - FLOOR)` is 0. */
export const [NONE, FLOOR] = [-1e30, -5e29];

/** Scores of all heads that are held at a time: blocks of targets are as large as that allows. */
const BLOCK_ELEMENTS = 2 ** 20;

/** What a call's blocks share. */
export interface Attending extends Inputs, AttentionAttributes {
  readonly batch: number;
  readonly heads: number;
  readonly keyHeads: number;
  readonly target: number;
  readonly source: number;
}

export function attendingOf(inputs: Inputs, options: AttentionAttributes): Attending {
  const [batch, heads, target] = inputs.query.shape as [number, number, number];
  const [, keyHeads, source] = inputs.key.shape as [number, number, number];
  return { ...inputs, ...options, batch, heads, keyHeads, target, source };
}

/** A stretch of targets, and how many sources they see together. */
export interface Block {
  readonly begin: number;
  readonly count: number;
  readonly seen: number;
}

/** Calls `work` on blocks of targets and frees what each call leaves, but for `sums`. */
export function forBlocks(attending: Attending, sums: Tensor[], work: (sums: Tensor[], block: Block) => Tensor[]): Tensor[] {
  const { batch, heads, target, source, causal } = attending;
  const length = Math.max(1, Math.floor(BLOCK_ELEMENTS / (batch * heads * source)));
  let current = sums;
  for (let begin = 0; begin < target; begin += length) {
    const count = Math.min(length, target - begin);
    const last = begin + count + source - target;
    // At least one, for a tensor without elements is no operand; it is hidden then.
    const seen = causal ? Math.max(1, Math.min(source, last)) : source;
    const next = tidy(() => work(current, { begin, count, seen }));
    for (const done of current) if (!next.includes(done)) done.dispose();
    current = next;
  }
  return current;
}

/** The targets of a block, by key heads: `[batch keyHeads, heads / keyHeads count, dim]`. */
export function targetRows(x: Tensor, { batch, keyHeads }: Attending, { begin, count }: Block): Tensor3D {
  const part = slice(x, [0, 0, begin, 0], [-1, -1, count, -1]);
  return reshape(part, [batch * keyHeads, -1, x.shape[3]!]) as Tensor3D;
}

/** The sources a block sees: `[batch keyHeads, seen, dim]`. */
export function sourceRows(x: Tensor, { seen }: Block): Tensor3D {
  const [batch, heads, , dim] = x.shape as [number, number, number, number];
  return reshape(slice(x, [0, 0, 0, 0], [-1, -1, seen, -1]), [batch * heads, seen, dim]);
}

/** The part of a mask or bias that belongs to a block; axes of 1 stay. */
function pairRows(x: Tensor, { begin, count, seen }: Block): Tensor {
  const shape = pairShape(x.shape) as [number, number, number, number];
  const isShared = shape[2] === 1;
  return slice(reshape(x, shape), [0, 0, isShared ? 0 : begin, 0], [-1, -1, isShared ? 1 : count, seen]);
}

/** Scores of a block, `[batch, heads, count, seen]`, and which of its pairs are attended, by axes of their size or 1; undefined if all are. */
export function scoresOf(attending: Attending, block: Block): { scores: Tensor; attended: Tensor | undefined } {
  const { query, key, mask, bias, causal, scale, batch, heads, target, source } = attending;
  const { begin, count, seen } = block;
  const queries = mul(targetRows(query, attending, block), scale) as Tensor3D;
  const products = productsWith(queries, sourceRows(key, block), attending);
  let scores = reshape(products, [batch, heads, count, seen]) as Tensor;
  if (bias) scores = add(scores, pairRows(bias, block));
  let attended: Tensor | undefined = mask && notEqual(pairRows(mask, block), 0);
  if (causal) {
    const first = begin + source - target;
    const last = reshape(range(first, first + count), [1, 1, count, 1]);
    const earlier = lessEqual(reshape(range(0, seen), [1, 1, 1, seen]), last);
    attended = attended ? logicalAnd(attended, earlier) : earlier;
  }
  return { scores, attended };
}

/** What each weight of a block is multiplied by, made here as `dropout` does; undefined where nothing is dropped. */
export function keptOf(
  { batch, heads, target, source, rate, seed }: Attending,
  { begin, count, seen }: Block,
): Tensor | undefined {
  if (rate === 0) return undefined;
  const { first, second, threshold, scale } = dropoutPlan({ rate, seed });
  const kept = new Float32Array(batch * heads * count * seen);
  for (let row = 0, i = 0; row < batch * heads; row++) {
    for (let t = begin; t < begin + count; t++) {
      const place = (row * target + t) * source;
      for (let s = 0; s < seen; s++) kept[i++] = randomBits(place + s, first, second) >= threshold ? scale : 0;
    }
  }
  return tensor(kept, [batch, heads, count, seen]);
}

/** `[batch, heads, rows, columns]` by key heads. */
export const byKeyHeads = (x: Tensor, { batch, keyHeads }: Attending) =>
  reshape(x, [batch * keyHeads, -1, x.shape[3]!]) as Tensor3D;

/** Whether pairs may be hidden, so that what is not finite must not meet a weight of 0. */
const mayHide = ({ mask, bias, causal }: Attending): boolean => Boolean(mask || bias || causal);

/** `x` with 0 for what is not finite, and where that is, as 1. */
function withoutLost(x: Tensor3D): [clean: Tensor3D, lost: Tensor3D] {
  const isKnown = lessEqual(abs(x), 3.4028234e38);
  return [where(isKnown, x, zerosLike(x)) as Tensor3D, sub(1, cast(isKnown, 'float32')) as Tensor3D];
}

/** The products of `rows` with each row of `x`, `[batch keyHeads, rows, seen]`: NaN for a row that is not finite, and for no other. */
export function productsWith(rows: Tensor3D, x: Tensor3D, attending: Attending): Tensor {
  if (!mayHide(attending)) return matMul(rows, x, false, true);
  // Some products of tfjs on WebGPU multiply what lies beyond a row by 0.
  const [clean, lost] = withoutLost(x);
  const isLost = reshape(greater(sum(lost, -1), 0), [x.shape[0], 1, x.shape[1]]);
  const poison: Tensor = fill(isLost.shape, Number.NaN);
  return add(matMul(rows, clean, false, true), where(isLost, poison, zerosLike(poison)));
}

/**
 * The product of weights by key heads with rows of `x`. Where pairs may be hidden, a weight of 0 before a row that is not finite adds nothing, and any
 * other makes the result NaN.
 */
export function weighed(weights: Tensor3D, x: Tensor3D, attending: Attending, transposed = false): Tensor3D {
  if (!mayHide(attending)) return matMul(weights, x, transposed, false);
  const [clean, lost] = withoutLost(x);
  const product: Tensor = matMul(weights, clean, transposed, false);
  const met = matMul(cast(notEqual(weights, 0), 'float32'), lost, transposed, false);
  const poison: Tensor = fill(product.shape, Number.NaN);
  return where(greater(met, 0), poison, product) as Tensor3D;
}
