import { assertClose, SeededRandom } from '@mixfold/testing';
import { type Array64, product64 } from './array64';

/** A matrix or tensor of seeded normal numbers. */
export const random = (seed: number, ...shape: number[]): Array64 => new SeededRandom(seed).normals(shape);
/** The square matrix with these values on its diagonal. */
export const diagonal = (values: ArrayLike<number>): Array64 => {
  const size = values.length;
  const data = new Float64Array(size * size);
  for (let i = 0; i < size; i++) data[i * size + i] = values[i]!;
  return { shape: [size, size], data };
};
export const identity = (size: number) => diagonal(new Float64Array(size).fill(1));
/** Fails unless all elements agree to about float64's rounding. */
export const close = (name: string, actual: Array64, expected: Array64, largest = 1e-13) =>
  assertClose(name, actual, expected, { largest });
/** A matrix of a rank below its sizes. */
export const ofRank = (seed: number, rows: number, columns: number, rank: number) =>
  product64(random(seed, rows, rank), random(seed + 1, rank, columns));

/** Shapes of matrices that tests go through. */
export const matrixShapes = [
  [1, 1],
  [1, 5],
  [5, 1],
  [2, 2],
  [7, 4],
  [4, 7],
  [13, 13],
  [60, 9],
] as const;
