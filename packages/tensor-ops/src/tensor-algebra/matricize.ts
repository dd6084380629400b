import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { OptionError, ShapeError } from '../errors';
import { checkedAxes, checkedShape, floatShape } from './checked-axes';
import { rearranged } from './rearrange-operator';

const product = (sizes: readonly number[]) => sizes.reduce((total, size) => total * size, 1);

/** The order of axes that a matrix has, rows first, and its shape. */
function matrixOf(functionName: string, rowAxes: readonly number[], columnAxes: readonly number[], shape: readonly number[]) {
  const rows = checkedAxes(functionName, 'rowAxes', rowAxes, shape);
  const columns = checkedAxes(functionName, 'columnAxes', columnAxes, shape);
  const order = [...rows, ...columns];
  shape.forEach((_, axis) => {
    const times = order.filter((other) => other === axis).length;
    if (times === 1) return;
    const rule = 'rowAxes and columnAxes together must name every axis once';
    throw new OptionError(`${functionName}: ${rule}, axis ${axis} of shape [${shape.join(', ')}] stands ${times} times`);
  });
  const sizes = (axes: readonly number[]) => axes.map((axis) => shape[axis]!);
  return { order, moved: sizes(order), matrix: [product(sizes(rows)), product(sizes(columns))] as const };
}

/**
 * Arranges a tensor as a matrix: the axes `rowAxes` become its rows and `columnAxes` its columns, the first axis of each list varying slowest.
 *
 * @param t - float32, any number of axes.
 * @param rowAxes - Axes, negative ones counted from the end; may be empty.
 * @param columnAxes - All other axes, in the order wanted.
 * @returns `[rows, columns]`. New tensor; the caller disposes it.
 * @throws OptionError unless the two lists name every axis once.
 * @remarks Differentiable. One transpose at most.
 * @see Kolda and Bader 2009, section 2.4, https://doi.org/10.1137/07070111X; the order of elements is TensorLy's (C order)
 * @example
 * const matrix = matricize(tf.zeros([2, 3, 4]), [1], [0, 2]); // [3, 8]
 */
export function matricize(t: Tensor, rowAxes: readonly number[], columnAxes: readonly number[]): Tensor2D {
  const shape = floatShape('matricize', 't', t);
  const { order, matrix } = matrixOf('matricize', rowAxes, columnAxes, shape);
  return rearranged(t, shape, order, matrix);
}

/**
 * Undoes `matricize`.
 *
 * @param matrix - `[rows, columns]`, float32.
 * @param rowAxes - As given to `matricize`.
 * @param columnAxes - As given to `matricize`.
 * @param shape - The shape of the tensor.
 * @returns A new tensor of that shape; the caller disposes it.
 * @throws OptionError unless the two lists name every axis once; ShapeError if the matrix has another shape than these axes give.
 * @remarks Differentiable. One transpose at most.
 * @example
 * const t = dematricize(matricize(x, [1], [0, 2]), [1], [0, 2], x.shape);
 */
export function dematricize(
  matrix: Tensor,
  rowAxes: readonly number[],
  columnAxes: readonly number[],
  shape: readonly number[],
): Tensor {
  return fromMatrix('dematricize', matrix, rowAxes, columnAxes, shape);
}

/** `dematricize` on behalf of another function. */
export function fromMatrix(
  functionName: string,
  matrix: Tensor,
  rowAxes: readonly number[],
  columnAxes: readonly number[],
  shape: readonly number[],
): Tensor {
  const given = floatShape(functionName, 'matrix', matrix);
  const expected = matrixOf(functionName, rowAxes, columnAxes, checkedShape(functionName, shape));
  if (given.length !== 2 || given[0] !== expected.matrix[0] || given[1] !== expected.matrix[1]) {
    const wanted = `[${expected.matrix.join(', ')}] for shape [${shape.join(', ')}]`;
    throw new ShapeError(`${functionName}: matrix must have shape ${wanted}, got [${given.join(', ')}]`);
  }
  const back = shape.map((_, axis) => expected.order.indexOf(axis));
  return rearranged(matrix, expected.moved, back, shape);
}
