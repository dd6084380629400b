import { type Array64, type Matrix64, norm64, readArray64, zeros64 } from './array64';

/** An orthonormal and a triangular factor. */
export interface Qr64 {
  /** `[rows, k]`, k the smaller of rows and columns; its columns are orthonormal. */
  readonly q: Array64;
  /** `[k, columns]`, upper triangular, its diagonal 0 or above. */
  readonly r: Array64;
}

/**
 * The thin QR decomposition in float64: a = q r.
 *
 * @param a - A matrix, `[rows, columns]`, any shape.
 * @throws ShapeError if it is no matrix; DTypeError for numbers that are not finite.
 * @remarks By Householder reflections, O(rows columns k). A column that depends on those before it has about 0 on the diagonal of r.
 * @see Golub and Van Loan, Matrix Computations, 4th edition, section 5.2
 * @example
 * const { q, r } = qr64([[1, 2], [3, 4], [5, 6]]); // q [3, 2], r [2, 2]
 */
export function qr64(a: Matrix64): Qr64 {
  return factorised(readArray64('qr64', 'a', a, [2]));
}

/** `qr64` of a matrix that may be written over. */
export function factorised({ shape, data }: Array64): Qr64 {
  const [rows, columns] = shape as [number, number];
  const k = Math.min(rows, columns);
  const reflections = Array.from({ length: k }, (_, step) => reflect(data, rows, columns, step));
  const [q, r] = [zeros64(rows, k), zeros64(k, columns)];
  for (let i = 0; i < k; i++) for (let j = i; j < columns; j++) r.data[i * columns + j] = data[i * columns + j]!;
  for (let i = 0; i < k; i++) q.data[i * k + i] = 1;
  // From the last reflection to the first, each on the columns that it can have changed.
  for (let step = k - 1; step >= 0; step--) applyReflection(q.data, k, step, step, reflections[step]!);
  for (let i = 0; i < k; i++) {
    if (r.data[i * columns + i]! >= 0) continue;
    for (let j = i; j < columns; j++) r.data[i * columns + j]! *= -1;
    for (let row = 0; row < rows; row++) q.data[row * k + i]! *= -1;
  }
  return { q, r };
}

/** Turns the column `step` onto its axis, and the columns behind it with it. Returns the unit normal of the mirror; empty if nothing is to do. */
function reflect(data: Float64Array, rows: number, columns: number, step: number): Float64Array {
  const normal = Float64Array.from({ length: rows - step }, (_, i) => data[(step + i) * columns + step]!);
  const length = norm64(normal);
  if (length === 0) return new Float64Array(0);
  for (let i = 0; i < normal.length; i++) normal[i]! /= length;
  // Away from the axis, so that nothing cancels.
  normal[0]! += normal[0]! >= 0 ? 1 : -1;
  const scale = norm64(normal);
  for (let i = 0; i < normal.length; i++) normal[i]! /= scale;
  applyReflection(data, columns, step, step, normal);
  return normal;
}

/** x - 2 n (n . x) for the rows from `top` of each column from `first`. */
function applyReflection(data: Float64Array, columns: number, top: number, first: number, normal: Float64Array): void {
  const sums = new Float64Array(columns);
  normal.forEach((weight, i) => {
    const row = (top + i) * columns;
    for (let j = first; j < columns; j++) sums[j]! += weight * data[row + j]!;
  });
  normal.forEach((weight, i) => {
    const row = (top + i) * columns;
    for (let j = first; j < columns; j++) data[row + j]! -= 2 * weight * sums[j]!;
  });
}
