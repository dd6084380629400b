import type { Tensor } from '@tensorflow/tfjs-core';
import { ShapeError } from '../errors';
import { axisLabels } from './axis-labels';
import { checkedAxis, floatShape } from './checked-axes';
import { einsumFor } from './einsum';

/**
 * The mode-n product: multiplies every fibre of one mode by a matrix.
 *
 * $$ Y_{(n)} = M X_{(n)} $$
 *
 * @param t - float32, one axis or more.
 * @param matrix - `[rows, size of the mode]`.
 * @param mode - The mode, from 0; a negative one counts from the end.
 * @returns The shape of `t` with `rows` in place of the mode. New tensor; the caller disposes it.
 * @throws OptionError if the tensor has no such mode; ShapeError if the matrix does not fit it.
 * @remarks One product of matrices. Differentiable in both.
 * @see Kolda and Bader 2009, section 2.5, https://doi.org/10.1137/07070111X
 * @example
 * const y = modeProduct(tf.zeros([2, 3, 4]), tf.zeros([5, 3]), 1); // [2, 5, 4]
 */
export function modeProduct(t: Tensor, matrix: Tensor, mode: number): Tensor {
  const [shape, matrixShape] = [floatShape('modeProduct', 't', t), floatShape('modeProduct', 'matrix', matrix)];
  const axis = checkedAxis('modeProduct', 'mode', mode, shape);
  if (matrixShape.length !== 2 || matrixShape[1] !== shape[axis]) {
    const rule = `matrix must have shape [rows, ${shape[axis]}] for mode ${axis} of [${shape.join(', ')}]`;
    throw new ShapeError(`modeProduct: ${rule}, got [${matrixShape.join(', ')}]`);
  }
  const labels = axisLabels('modeProduct', shape.length + 1);
  const row = labels.pop()!;
  const output = labels.map((label, other) => (other === axis ? row : label));
  return einsumFor('modeProduct', `${labels.join('')},${row}${labels[axis]}->${output.join('')}`, { t, matrix });
}
