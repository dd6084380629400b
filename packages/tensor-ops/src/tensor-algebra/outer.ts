import type { Tensor } from '@tensorflow/tfjs-core';
import { axisLabels } from './axis-labels';
import { floatShape } from './checked-axes';
import { einsumFor } from './einsum';

/**
 * The outer product: every element of one tensor times every element of the other.
 *
 * @param a - float32, any number of axes.
 * @param b - float32, any number of axes.
 * @returns `[...axes of a, ...axes of b]`. New tensor; the caller disposes it.
 * @remarks Differentiable in both.
 * @example
 * const table = outer(tf.tensor1d([1, 2]), tf.tensor1d([3, 4, 5])); // [2, 3]
 */
export function outer(a: Tensor, b: Tensor): Tensor {
  const left = axisLabels('outer', floatShape('outer', 'a', a).length).join('');
  const right = axisLabels('outer', floatShape('outer', 'b', b).length, left.length).join('');
  return einsumFor('outer', `${left},${right}->${left}${right}`, { a, b });
}
