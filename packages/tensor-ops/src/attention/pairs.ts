import { fill, pad, reshape, sum, type Tensor, type Tensor2D, where } from '@tensorflow/tfjs-core';

/** Elements that are added one after the other; float32 sums of more lose digits. */
const SPAN = 256;

/** `x` where pairs are attended, else `other`; undefined if all are. By selection, so that a NaN that is hidden stays so. */
export const whereAttended = (attended: Tensor | undefined, x: Tensor, other: number): Tensor =>
  attended === undefined ? x : where(attended, x, fill(x.shape, other));

/** The sum over the last axis, of a target's pairs, kept as 1: by spans. */
export function sumOfPairs(x: Tensor): Tensor {
  const length = x.shape.at(-1)!;
  if (length <= SPAN) return sum(x, -1, true);
  const spans = Math.ceil(length / SPAN);
  const padded = pad(reshape(x, [-1, length]) as Tensor2D, [
    [0, 0],
    [0, spans * SPAN - length],
  ]);
  return reshape(sum(sum(reshape(padded, [-1, spans, SPAN]), 2), 1), [...x.shape.slice(0, -1), 1]);
}
