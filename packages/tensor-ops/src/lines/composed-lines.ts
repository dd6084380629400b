import { reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';
import type { Lines } from './lines';

/** A tensor as `[lines, count]`. */
export function toRows(x: Tensor, { outer, count, inner }: Lines): Tensor {
  if (inner === 1) return reshape(x, [outer, count]);
  return reshape(transpose(reshape(x, [outer, count, inner]), [0, 2, 1]), [outer * inner, count]);
}

/** `[lines, count]` as the tensor that it was. */
export function fromRows(rows: Tensor, { outer, count, inner }: Lines, shape: number[]): Tensor {
  if (inner === 1) return reshape(rows, shape);
  return reshape(transpose(reshape(rows, [outer, inner, count]), [0, 2, 1]), shape);
}
