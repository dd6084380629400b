import type { Tensor } from '@tensorflow/tfjs-core';
import { ShapeError } from '../errors';
import { axisLabels } from './axis-labels';
import { checkedAxes, floatShape } from './checked-axes';
import { einsumFor } from './einsum';

/**
 * Sums the product of two tensors over pairs of axes: `axesA[i]` of one with `axesB[i]` of the other.
 *
 * @param a - float32.
 * @param axesA - Axes of `a`, negative ones counted from the end; none gives the outer product.
 * @param b - float32.
 * @param axesB - As many axes of `b`, of the same sizes.
 * @returns `[...other axes of a, ...other axes of b]`. New tensor; the caller disposes it.
 * @throws OptionError for an axis that is not there; ShapeError if the lists or the sizes differ.
 * @remarks One product of matrices. Differentiable in both.
 * @see numpy.tensordot, https://numpy.org/doc/stable/reference/generated/numpy.tensordot.html
 * @example
 * const scores = contract(query, [-1], key, [-1]);
 */
export function contract(a: Tensor, axesA: readonly number[], b: Tensor, axesB: readonly number[]): Tensor {
  const [aShape, bShape] = [floatShape('contract', 'a', a), floatShape('contract', 'b', b)];
  const [left, right] = [checkedAxes('contract', 'axesA', axesA, aShape), checkedAxes('contract', 'axesB', axesB, bShape)];
  const shapes = `\n  a  [${aShape.join(', ')}]\n  b  [${bShape.join(', ')}]`;
  if (left.length !== right.length) {
    throw new ShapeError(`contract: axesA has ${left.length} axes but axesB has ${right.length}${shapes}`);
  }
  const labels = axisLabels('contract', aShape.length + bShape.length - right.length);
  const aLabels = labels.slice(0, aShape.length);
  const fresh = labels.slice(aShape.length);
  const bLabels = bShape.map((size, axis) => {
    const pair = right.indexOf(axis);
    if (pair < 0) return fresh.shift()!;
    const other = left[pair]!;
    if (aShape[other] !== size) {
      throw new ShapeError(`contract: axis ${other} of a is ${aShape[other]} but axis ${axis} of b is ${size}${shapes}`);
    }
    return aLabels[other]!;
  });
  const output = [...aLabels.filter((_, axis) => !left.includes(axis)), ...bLabels.filter((_, axis) => !right.includes(axis))];
  return einsumFor('contract', `${aLabels.join('')},${bLabels.join('')}->${output.join('')}`, { a, b });
}
