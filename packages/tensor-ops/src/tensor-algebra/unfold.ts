import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { checkedAxis, checkedShape, floatShape } from './checked-axes';
import { fromMatrix } from './matricize';
import { rearranged } from './rearrange-operator';

const withFirst = (mode: number, shape: readonly number[]) => [
  mode,
  ...shape.map((_, axis) => axis).filter((axis) => axis !== mode),
];

/**
 * The mode-n unfolding: a matrix whose rows are one mode of the tensor, its columns the others in their order, the last varying fastest.
 *
 * @param t - float32, one axis or more.
 * @param mode - The mode, from 0; a negative one counts from the end.
 * @returns `[size of the mode, all others]`. New tensor; the caller disposes it.
 * @throws OptionError if the tensor has no such mode.
 * @remarks Differentiable. One transpose at most.
 * @see TensorLy, `unfold`, https://tensorly.org; Kolda and Bader 2009 let the first mode vary fastest instead
 * @example
 * const rows = unfold(tf.zeros([2, 3, 4]), 1); // [3, 8]
 */
export function unfold(t: Tensor, mode: number): Tensor2D {
  const shape = floatShape('unfold', 't', t);
  const order = withFirst(checkedAxis('unfold', 'mode', mode, shape), shape);
  const columns = order.slice(1).reduce((product, axis) => product * shape[axis]!, 1);
  return rearranged(t, shape, order, [shape[order[0]!]!, columns]);
}

/**
 * Undoes `unfold`.
 *
 * @param matrix - `[size of the mode, all others]`, float32.
 * @param mode - As given to `unfold`.
 * @param shape - The shape of the tensor.
 * @returns A new tensor of that shape; the caller disposes it.
 * @throws OptionError if the shape has no such mode; ShapeError if the matrix does not fit the shape.
 * @remarks Differentiable. One transpose at most.
 * @example
 * const t = fold(unfold(x, 1), 1, x.shape);
 */
export function fold(matrix: Tensor, mode: number, shape: readonly number[]): Tensor {
  const axis = checkedAxis('fold', 'mode', mode, checkedShape('fold', shape));
  return fromMatrix('fold', matrix, [axis], withFirst(axis, shape).slice(1), shape);
}
