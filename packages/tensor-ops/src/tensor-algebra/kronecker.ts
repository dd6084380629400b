import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import { ShapeError } from '../errors';
import { axisLabels } from './axis-labels';
import { floatShape } from './checked-axes';
import { einsumFor } from './einsum';
import { rearranged } from './rearrange-operator';

/**
 * The Kronecker product: every element of `a` times the whole of `b`, as blocks of one large tensor.
 *
 * @param a - float32, a matrix or any number of axes.
 * @param b - float32, as many axes.
 * @returns Per axis the product of both sizes, `[rowsA rowsB, columnsA columnsB]`. New tensor; the caller disposes it.
 * @throws ShapeError if the numbers of axes differ.
 * @remarks Differentiable in both.
 * @see Kolda and Bader 2009, section 2.6, https://doi.org/10.1137/07070111X
 * @example
 * const blocks = kronecker(tf.eye(2), tf.ones([3, 3])); // [6, 6]
 */
export function kronecker(a: Tensor, b: Tensor): Tensor {
  const [aShape, bShape] = [floatShape('kronecker', 'a', a), floatShape('kronecker', 'b', b)];
  if (aShape.length !== bShape.length) {
    const shapes = `\n  a  [${aShape.join(', ')}]\n  b  [${bShape.join(', ')}]`;
    throw new ShapeError(`kronecker: a has ${aShape.length} axes but b has ${bShape.length}${shapes}`);
  }
  const left = axisLabels('kronecker', aShape.length);
  const right = axisLabels('kronecker', bShape.length, aShape.length);
  const pairs = left.map((label, axis) => label + right[axis]);
  return tidy(() => {
    const blocks = einsumFor('kronecker', `${left.join('')},${right.join('')}->${pairs.join('')}`, { a, b });
    const order = blocks.shape.map((_, axis) => axis);
    return rearranged(
      blocks,
      blocks.shape,
      order,
      aShape.map((size, axis) => size * bShape[axis]!),
    );
  });
}
