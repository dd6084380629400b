import { add, div, mean, reshape, slice, sum, type Tensor } from '@tensorflow/tfjs-core';

/** Elements that one partial sum takes in. */
const SPAN = 512;

/**
 * The sum of each row of a matrix, `[rows, 1]`. Long rows are summed in spans: some of tfjs's kernels add one by one, and
 * rounding would grow.
 */
export function sumOfRows(x: Tensor): Tensor {
  const [rows, width] = x.shape as [number, number];
  if (width <= 2 * SPAN) return sum(x, 1, true);
  const spans = Math.floor(width / SPAN);
  const body = slice(x, [0, 0], [rows, spans * SPAN]);
  const partial = reshape(sum(reshape(body, [rows * spans, SPAN]), 1), [rows, spans]);
  const total = sumOfRows(partial);
  return width % SPAN === 0 ? total : add(total, sum(slice(x, [0, spans * SPAN], [rows, -1]), 1, true));
}

/** The mean of each row of a matrix, `[rows, 1]`. */
export function meanOfRows(x: Tensor): Tensor {
  const width = x.shape[1]!;
  return width <= 2 * SPAN ? mean(x, 1, true) : div(sumOfRows(x), width);
}
