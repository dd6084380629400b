import { type Tensor, type Tensor2D, tidy } from '@tensorflow/tfjs-core';
import { bindShapes } from '../bind-shapes';
import { floatShape } from './checked-axes';
import { einsumFor } from './einsum';
import { rearranged } from './rearrange-operator';

/**
 * The Khatri-Rao product: the Kronecker product of each column of `a` with the same column of `b`.
 *
 * @param a - `[rowsA, columns]`, float32.
 * @param b - `[rowsB, columns]`, float32.
 * @returns `[rowsA rowsB, columns]`; row `i rowsB + j` is row i of `a` times row j of `b`. New tensor; the caller disposes it.
 * @throws ShapeError if the columns differ.
 * @remarks Differentiable in both.
 * @see Kolda and Bader 2009, section 2.6, https://doi.org/10.1137/07070111X
 * @example
 * const design = khatriRao(tf.ones([2, 4]), tf.ones([3, 4])); // [6, 4]
 */
export function khatriRao(a: Tensor, b: Tensor): Tensor2D {
  floatShape('khatriRao', 'a', a);
  floatShape('khatriRao', 'b', b);
  const { rowsA, rowsB, columns } = bindShapes('khatriRao', { a: [a, 'rowsA columns'], b: [b, 'rowsB columns'] });
  return tidy(() => {
    const blocks = einsumFor('khatriRao', 'ir,jr->ijr', { a, b });
    return rearranged<Tensor2D>(blocks, blocks.shape, [0, 1, 2], [rowsA * rowsB, columns]);
  });
}
