import { ShapeError } from '../errors';
import { type Matrix64, readArray64 } from './array64';

/**
 * The determinant of a square matrix as its sign and the logarithm of its magnitude, in float64, which neither overflow nor underflow.
 *
 * @param a - `[size, size]`.
 * @returns `sign` 1, -1, or 0 for a singular matrix, whose `logAbs` is -Infinity. An empty matrix has determinant 1.
 * @throws ShapeError if it is not square; DTypeError for numbers that are not finite.
 * @remarks By elimination with row pivots, O(size^3).
 * @see Golub and Van Loan, Matrix Computations, 4th edition, section 3.4
 * @example
 * const { sign, logAbs } = logdet64([[0, 2], [3, 0]]); // -1, log 6
 */
export function logdet64(a: Matrix64): { readonly sign: number; readonly logAbs: number } {
  const { shape, data } = readArray64('logdet64', 'a', a, [2]);
  const [size, columns] = shape as [number, number];
  if (size !== columns) throw new ShapeError(`logdet64: a must be square, got shape [${shape.join(', ')}]`);
  let [sign, logAbs] = [1, 0];
  for (let step = 0; step < size; step++) {
    let pivot = step;
    for (let i = step + 1; i < size; i++) {
      if (Math.abs(data[i * size + step]!) > Math.abs(data[pivot * size + step]!)) pivot = i;
    }
    const value = data[pivot * size + step]!;
    if (value === 0) return { sign: 0, logAbs: Number.NEGATIVE_INFINITY };
    if (pivot !== step) {
      sign = -sign;
      const row = data.slice(step * size, (step + 1) * size);
      data.copyWithin(step * size, pivot * size, (pivot + 1) * size);
      data.set(row, pivot * size);
    }
    if (value < 0) sign = -sign;
    logAbs += Math.log(Math.abs(value));
    for (let i = step + 1; i < size; i++) {
      const factor = data[i * size + step]! / value;
      for (let j = step + 1; j < size; j++) data[i * size + j]! -= factor * data[step * size + j]!;
    }
  }
  return { sign, logAbs };
}
