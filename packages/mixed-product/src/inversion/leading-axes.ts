import { type Array64, checkTensor, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor } from '@tensorflow/tfjs-core';

export const sizeOf = (shape: readonly number[]): number => shape.reduce((size, axis) => size * axis, 1);

/** Downloads a tensor as a matrix of `rows` rows, in float64. */
export async function readRows(x: Tensor, rows: number): Promise<Array64> {
  const columns = rows === 0 ? 0 : x.size / rows;
  return { shape: [rows, columns], data: Float64Array.from(await x.data()) };
}

/**
 * The axes of `phi` behind those of the members of a basis.
 *
 * @throws ShapeError unless `phi` begins with them.
 */
export function axesBehind(functionName: string, basis: Tensor, phi: Tensor): readonly number[] {
  checkTensor(functionName, 'basis', basis, ['float32']);
  checkTensor(functionName, 'phi', phi, ['float32']);
  if (basis.rank === 0) throw new ShapeError(`${functionName}: basis must have an axis of terms, got a scalar`);
  const own = basis.shape.slice(1);
  if (own.some((size, axis) => phi.shape[axis] !== size)) {
    throw new ShapeError(
      `${functionName}: phi must begin with the axes of a member of the basis\n  basis  [terms, ${own.join(', ')}]  [${basis.shape.join(', ')}]\n` +
        `  phi    [${[...own, '...'].join(', ')}]  [${phi.shape.join(', ')}]`,
    );
  }
  return phi.shape.slice(own.length);
}
