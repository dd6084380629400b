import { checkTensor, matMul, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { viewAs } from '../tape/views';
import { sizeOf } from './leading-axes';

/**
 * The inner products of the members of a family of tensors: `gram[k, l] = <a_k, a_l>`.
 *
 * @param basis - `[terms, ...S]`, float32.
 * @returns `[terms, terms]`. New tensor; the caller disposes it.
 * @throws ShapeError for a scalar; DTypeError.
 * @remarks O(terms^2 |S|). Differentiable. A diagonal Gram matrix tells an orthogonal family: that of shifts with zeros beyond the ends is
 *   `diag(N - |d|)`. In float32; `invertMixedProduct` computes its own in float64.
 * @example
 * const inner = gram(basis);
 */
export function gram(basis: Tensor): Tensor2D {
  checkTensor('gram', 'basis', basis, ['float32']);
  if (basis.rank === 0) throw new ShapeError('gram: basis must have an axis of terms, got a scalar');
  const [terms, ...shape] = basis.shape as [number, ...number[]];
  const rows = viewAs(basis, [terms, sizeOf(shape)]);
  return matMul(rows, rows, { transposeB: true }) as Tensor2D;
}
