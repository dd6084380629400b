import { checkOptions } from '../check-options';
import { ShapeError } from '../errors';
import { type Array64, type Matrix64, norm64, product64, readArray64, zeros64 } from './array64';
import { decomposed } from './svd64';

/** A least-squares solution and what is known of its system. */
export interface LeastSquares64 {
  /** `[columns]` or `[columns, right sides]`, as the right side was; of all solutions the shortest. */
  readonly x: Array64;
  /** The root of the sum of squares of B x - F. */
  readonly residualNorm: number;
  /** Singular values above `rcond` times the largest. */
  readonly rank: number;
  /** The largest first. */
  readonly singularValues: Float64Array;
  /** The largest singular value over the smallest: Infinity for a singular system, 1 for an empty one. */
  readonly conditionNumber: number;
}

/**
 * Solves B x = F in the sense of least squares, in float64. A singular system has a solution too; `rank` tells.
 *
 * @param B - A matrix, `[rows, columns]`, any shape.
 * @param F - `[rows]` or `[rows, right sides]`.
 * @param options.rcond - Singular values up to this share of the largest count as 0. Default: the larger of both sizes times 2^-52.
 * @throws ShapeError if the rows differ; DTypeError for numbers that are not finite; OptionError.
 * @remarks By the singular value decomposition, which svd64 describes.
 * @see Golub and Van Loan, Matrix Computations, 4th edition, section 5.5
 * @example
 * const { x, rank } = leastSquares64([[1, 0], [1, 1], [1, 2]], [1, 3, 5]); // x 1, 2; rank 2
 */
export function leastSquares64(
  B: Matrix64,
  F: Matrix64 | readonly number[],
  options: { readonly rcond?: number | undefined } = {},
): LeastSquares64 {
  checkOptions('leastSquares64', options, { rcond: 'nonNegative' });
  const matrix = readArray64('leastSquares64', 'B', B, [2]);
  const sides = readArray64('leastSquares64', 'F', F, [1, 2]);
  const [rows, columns] = matrix.shape as [number, number];
  if (sides.shape[0] !== rows) {
    throw new ShapeError(
      `leastSquares64: B has ${rows} rows but F has ${sides.shape[0]}\n  B  [${matrix.shape.join(', ')}]\n  F  [${sides.shape.join(', ')}]`,
    );
  }
  const count = sides.shape[1] ?? 1;
  const right: Array64 = { shape: [rows, count], data: sides.data };
  const { u, s, v } = decomposed({ shape: matrix.shape, data: matrix.data.slice() });
  const { rcond = Math.max(rows, columns) * Number.EPSILON } = options;
  const rank = s.filter((value) => value > rcond * s[0]!).length;
  const weights = product64(u, right, true);
  for (let i = 0; i < s.length; i++) {
    for (let j = 0; j < count; j++) weights.data[i * count + j] = i < rank ? weights.data[i * count + j]! / s[i]! : 0;
  }
  const solution = s.length === 0 ? zeros64(columns, count) : product64(v, weights);
  const residual = product64(matrix, solution).data.map((value, i) => value - right.data[i]!);
  return {
    x: { shape: sides.shape.length === 1 ? [columns] : [columns, count], data: solution.data },
    residualNorm: norm64(residual),
    rank,
    singularValues: s,
    conditionNumber: s.length === 0 ? 1 : s.at(-1) === 0 ? Number.POSITIVE_INFINITY : s[0]! / s.at(-1)!,
  };
}
