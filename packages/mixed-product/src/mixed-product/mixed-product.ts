import { bindShapes, checkTensor, matMul } from '@mixfold/tensor-ops';
import type { Tensor } from '@tensorflow/tfjs-core';
import { viewAs } from '../tape/views';

/**
 * The mixed product of two families of tensors: the sum of the outer products of their members.
 *
 * $$ a \circ b = \sum_k a_k \otimes b_k, \qquad (a \circ b)_{st} = \sum_k a_{ks}\, b_{kt} $$
 *
 * With a basis of graphs `[terms, input, output]` and a parameter `[terms, inputDim, outputDim]` it is the weight of the linear map that their
 * convolution applies.
 *
 * @param a - `[terms, ...S]`, float32; S may be empty.
 * @param b - `[terms, ...T]`; T may be empty.
 * @returns `[...S, ...T]`. New tensor; the caller disposes it.
 * @throws ShapeError if the families differ in length; DTypeError.
 * @remarks One product of matrices: O(terms |S| |T|). Differentiable in both. The factors of a mixed product are known only up to an invertible
 *   change of the terms: compare products, not factors.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289
 * @example
 * const phi = mixedProduct(basis, theta); // [K, M, N] and [K, P, Q] give [M, N, P, Q]
 */
export function mixedProduct(a: Tensor, b: Tensor): Tensor {
  checkTensor('mixedProduct', 'a', a, ['float32']);
  checkTensor('mixedProduct', 'b', b, ['float32']);
  const { terms } = bindShapes('mixedProduct', { a: [a, 'terms ...S'], b: [b, 'terms ...T'] });
  const [left, right] = [a.shape.slice(1), b.shape.slice(1)];
  const rows = (x: Tensor, shape: readonly number[]) => viewAs(x, [terms, shape.reduce((size, axis) => size * axis, 1)]);
  return viewAs(matMul(rows(a, left), rows(b, right), { transposeA: true }), [...left, ...right]);
}
