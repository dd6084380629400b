import { pad, reshape, reverse, slice, sum, type Tensor, tile } from '@tensorflow/tfjs-core';

type Length = { length: number };

/**
 * Rows that each begin one place later: a line of 2 N numbers, repeated and cut into rows of 2 N - 1, moves by one place from row to row. The middle columns
 * are the bias.
 */
export function composedRelativeBias({ values }: { values: Tensor }, { length: n }: Length): Record<string, Tensor> {
  const [heads, columns] = values.shape as [number, number];
  const middle = slice(values, [0, (columns - (2 * n - 1)) / 2], [heads, 2 * n - 1]);
  const line = pad(reverse(middle, 1), [
    [0, 0],
    [0, 1],
  ]);
  const rows = reshape(slice(tile(line, [1, n]), [0, 0], [heads, n * (2 * n - 1)]), [heads, n, 2 * n - 1]);
  return { bias: slice(rows, [0, 0, n - 1], [heads, n, n]) };
}

/** Entries with one offset in one column, `[heads, rows, 2 N]`: the way of the bias back. The last column holds nothing. */
export function diagonals(matrix: Tensor): Tensor {
  const [heads, n] = matrix.shape as [number, number, number];
  const rows = pad(matrix, [
    [0, 0],
    [0, 0],
    [n - 1, 0],
  ]);
  const line = pad(reshape(rows, [heads, n * (2 * n - 1)]), [
    [0, 0],
    [0, n],
  ]);
  return reshape(line, [heads, n, 2 * n]);
}

/** `[heads, 2 N - 1]`: the sum of each diagonal of `[heads, target, source]`, by offset from -(N - 1) to N - 1. */
export function diagonalSums(matrix: Tensor): Tensor {
  const [heads, n] = matrix.shape as [number, number, number];
  // By blocks of about the square root of their number, so that rounding does not add up.
  const block = Math.ceil(Math.sqrt(n));
  const blocks = Math.ceil(n / block);
  const columns = pad(diagonals(matrix), [
    [0, 0],
    [0, blocks * block - n],
    [0, 0],
  ]);
  const sums = sum(sum(reshape(columns, [heads, blocks, block, 2 * n]), 2), 1);
  return reverse(slice(sums, [0, 0], [heads, 2 * n - 1]), 1);
}

export function composedRelativeBiasBackward(
  { values, dBias }: { values: Tensor; dBias: Tensor },
  { length: n }: Length,
): Record<string, Tensor> {
  const outside = (values.shape[1]! - (2 * n - 1)) / 2;
  return {
    dValues: pad(diagonalSums(dBias), [
      [0, 0],
      [outside, outside],
    ]),
  };
}
