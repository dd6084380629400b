import { type Array64, largest64, type Matrix64, norm64, product64, readArray64, transposed64, zeros64 } from './array64';
import { factorised } from './qr64';

/** Singular values and vectors. */
export interface Svd64 {
  /** `[rows, k]`, k the smaller of rows and columns; its columns are orthonormal. */
  readonly u: Array64;
  /** k values, the largest first. */
  readonly s: Float64Array;
  /** `[columns, k]`; its columns are orthonormal. */
  readonly v: Array64;
}

/** Far more than any matrix has been seen to need. */
const MOST_SWEEPS = 60;

/**
 * The thin singular value decomposition in float64: a = u diag(s) v^T.
 *
 * @param a - A matrix, `[rows, columns]`, any shape.
 * @throws ShapeError if it is no matrix; DTypeError for numbers that are not finite.
 * @remarks One-sided Jacobi on the triangular factor of a QR decomposition: small singular values keep more of their digits than by
 *   bidiagonalisation. O(rows columns k) per sweep, about ten sweeps.
 * @see Demmel and Veselic 1992, https://doi.org/10.1137/0613074
 * @example
 * const { s } = svd64([[3, 0], [4, 5]]); // 6.708, 2.236
 */
export function svd64(a: Matrix64): Svd64 {
  return decomposed(readArray64('svd64', 'a', a, [2]));
}

/** `svd64` of a matrix that may be written over. */
export function decomposed(a: Array64): Svd64 {
  const [rows, columns] = a.shape as [number, number];
  if (rows < columns) {
    const { u, s, v } = decomposed(transposed64(a));
    return { u: v, s, v: u };
  }
  // A power of two, which costs no digit.
  const largest = largest64(a.data);
  const scale = largest > 0 ? 2 ** Math.max(-1022, Math.floor(Math.log2(largest))) : 1;
  if (scale !== 1) for (let i = 0; i < a.data.length; i++) a.data[i]! /= scale;
  const { q, r } = factorised(a);
  // Jacobi turns the rows of r, which lie behind one another: r^T = w diag(s) turns^T, so a = (q turns) diag(s) w^T.
  const vectors = rowsOf(r);
  const turns = rowsOf(identity(columns));
  for (let sweep = 0; sweep < MOST_SWEEPS && turnAll(vectors, turns); sweep++);
  const lengths = vectors.map(norm64);
  const order = lengths.map((_, i) => i).sort((i, j) => lengths[j]! - lengths[i]!);
  const s = Float64Array.from(order, (i) => scale * lengths[i]!);
  const right = order.map((i) => vectors[i]!.map((x) => (lengths[i]! > 0 ? x / lengths[i]! : 0)));
  complete(
    right,
    order.map((i) => lengths[i]! > 0),
  );
  const left = fromRows(
    order.map((i) => turns[i]!),
    columns,
  );
  return { u: product64(q, left, false, true), s, v: transposed64(fromRows(right, columns)) };
}

function identity(size: number): Array64 {
  const matrix = zeros64(size, size);
  for (let i = 0; i < size; i++) matrix.data[i * size + i] = 1;
  return matrix;
}

const rowsOf = ({ shape, data }: Array64) =>
  Array.from({ length: shape[0]! }, (_, i) => data.slice(i * shape[1]!, (i + 1) * shape[1]!));

function fromRows(rows: readonly Float64Array[], columns: number): Array64 {
  const matrix = zeros64(rows.length, columns);
  rows.forEach((row, i) => {
    matrix.data.set(row, i * columns);
  });
  return matrix;
}

function dot(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * y[i]!;
  return sum;
}

/** Makes every pair of vectors orthogonal once, longer ones first. False if all were, to rounding. */
function turnAll(vectors: Float64Array[], turns: Float64Array[]): boolean {
  let turned = false;
  for (let p = 0; p < vectors.length; p++) {
    for (let q = p + 1; q < vectors.length; q++) {
      const [x, y] = [vectors[p]!, vectors[q]!];
      const [xx, yy, xy] = [dot(x, x), dot(y, y), dot(x, y)];
      if (Math.abs(xy) <= Number.EPSILON * Math.sqrt(x.length) * Math.sqrt(xx) * Math.sqrt(yy)) continue;
      turned = true;
      const cotangent = (yy - xx) / (2 * xy);
      const tangent = (cotangent >= 0 ? 1 : -1) / (Math.abs(cotangent) + Math.hypot(1, cotangent));
      const cosine = 1 / Math.hypot(1, tangent);
      turn(x, y, cosine, cosine * tangent);
      turn(turns[p]!, turns[q]!, cosine, cosine * tangent);
    }
  }
  return turned;
}

function turn(x: Float64Array, y: Float64Array, cosine: number, sine: number): void {
  for (let i = 0; i < x.length; i++) {
    const [a, b] = [x[i]!, y[i]!];
    x[i] = cosine * a - sine * b;
    y[i] = sine * a + cosine * b;
  }
}

/** Gives the vectors that are not known any directions orthogonal to all others: of the axes the one that the others see least of. */
function complete(vectors: Float64Array[], known: boolean[]): void {
  for (const [place, vector] of vectors.entries()) {
    if (known[place]) continue;
    const seen = vector.map((_, axis) => vectors.reduce((sum, other, i) => sum + (known[i] ? other[axis]! ** 2 : 0), 0));
    const least = seen.reduce((best, value, axis) => (value < seen[best]! ? axis : best), 0);
    vector[least] = 1;
    // Twice, for the first time leaves rounding.
    for (let pass = 0; pass < 2; pass++) {
      for (const [i, other] of vectors.entries()) {
        if (!known[i]) continue;
        const overlap = dot(vector, other);
        for (let axis = 0; axis < vector.length; axis++) vector[axis]! -= overlap * other[axis]!;
      }
      const length = norm64(vector);
      for (let axis = 0; axis < vector.length; axis++) vector[axis]! /= length;
    }
    known[place] = true;
  }
}
