import { matMul } from '@mixfold/tensor-ops';
import {
  abs,
  add,
  fill,
  lessEqual,
  logicalAnd,
  mul,
  notEqual,
  range,
  reshape,
  slice,
  sum,
  type Tensor,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { MssaAttributes } from './mssa';

/** The score of a pair that is hidden, and the least that the largest score of a target may be: `e^(NONE - FLOOR)` is 0. */
export const [NONE, FLOOR] = [-1e30, -5e29];

/** Scores of all heads that are held at a time: blocks of targets are as large as that allows. */
const BLOCK_ELEMENTS = 2 ** 20;

/** Elements that are added one after the other; float32 sums of more lose digits. */
const SPAN = 256;

/** Projected tokens of all heads, and what says which of them see which. */
export interface Mixing extends MssaAttributes {
  /** Queries and keys, `[batch heads, source, headDim]`; rows that are not finite are 0 where pairs may be hidden. */
  readonly match: Tensor;
  /** Values, likewise. */
  readonly value: Tensor;
  /** `[batch heads, source, 1]`: NaN for a row that is not finite, else 0; undefined where nothing is hidden. */
  readonly lost: Tensor | undefined;
  readonly keyMask: Tensor | undefined;
  readonly batch: number;
  readonly heads: number;
  readonly source: number;
  /** Sources before the first target. */
  readonly past: number;
}

/** A stretch of targets, counted among the sources, and how many sources they see together. */
export interface Block {
  readonly begin: number;
  readonly count: number;
  readonly seen: number;
}

export function blocksOf({ batch, heads, source, past, causal }: Mixing): Block[] {
  const length = Math.max(1, Math.floor(BLOCK_ELEMENTS / (batch * heads * source)));
  const blocks: Block[] = [];
  for (let begin = past; begin < source; begin += length) {
    const count = Math.min(length, source - begin);
    blocks.push({ begin, count, seen: causal ? begin + count : source });
  }
  return blocks;
}

/** Whether pairs may be hidden, so that what is not finite must not meet a weight of 0. */
export const mayHide = (attributes: MssaAttributes, keyMask: Tensor | undefined): boolean =>
  attributes.causal || attributes.maskSelf || keyMask !== undefined;

/** `x` with 0 for rows that are not finite, and NaN for each of these. */
export function withoutLost(x: Tensor): { clean: Tensor; lost: Tensor } {
  const isKnown = lessEqual(abs(x), 3.4028234e38);
  const clean = where(isKnown, x, zerosLike(x));
  const unknown = sum(where(isKnown, zerosLike(x), fill(x.shape, 1)), -1, true);
  return { clean, lost: where(notEqual(unknown, 0), fill(unknown.shape, Number.NaN), zerosLike(unknown)) };
}

/** Rows of `[batch heads, rows, dim]`. */
export const rowsOf = (x: Tensor, begin: number, count: number): Tensor => slice(x, [0, begin, 0], [-1, count, -1]);

/** Scores of a block, `[batch heads, count, seen]`, and which of its pairs count, by axes of their size or 1; undefined if all do. */
export function scoresOf(mixing: Mixing, { begin, count, seen }: Block): { scores: Tensor; attended: Tensor | undefined } {
  const { match, lost, keyMask, batch, heads, causal, maskSelf, scale } = mixing;
  let scores: Tensor = mul(matMul(rowsOf(match, begin, count), rowsOf(match, 0, seen), { transposeB: true }), scale);
  if (lost) {
    const ofSources = reshape(rowsOf(lost, 0, seen), [batch * heads, 1, seen]);
    scores = add(add(scores, ofSources), rowsOf(lost, begin, count));
  }
  const targets = reshape(range(begin, begin + count), [1, count, 1]);
  const sources = reshape(range(0, seen), [1, 1, seen]);
  const conditions: Tensor[] = [];
  if (causal) conditions.push(lessEqual(sources, targets));
  if (maskSelf) conditions.push(notEqual(sources, targets));
  if (keyMask) {
    const exists = notEqual(reshape(slice(keyMask, [0, 0], [-1, seen]), [batch, 1, 1, seen]), 0);
    const ofHeads = logicalAnd(exists, notEqual(fill([1, heads, 1, 1], 1), 0));
    conditions.push(reshape(ofHeads, [batch * heads, 1, seen]));
  }
  return { scores, attended: conditions.length === 0 ? undefined : conditions.reduce((a, b) => logicalAnd(a, b)) };
}

/** The product of two stacks, the inner axis by spans. `transposed`: the left factor is. */
export function productBySpans(a: Tensor, b: Tensor, transposed = false): Tensor {
  const depth = b.shape[1]!;
  let total: Tensor | undefined;
  for (let begin = 0; begin < depth; begin += SPAN) {
    const count = Math.min(SPAN, depth - begin);
    const whole = count === depth;
    const left = whole ? a : transposed ? rowsOf(a, begin, count) : slice(a, [0, 0, begin], [-1, -1, count]);
    const part = matMul(left, whole ? b : rowsOf(b, begin, count), { transposeA: transposed });
    total = total === undefined ? part : add(total, part);
  }
  return total!;
}
