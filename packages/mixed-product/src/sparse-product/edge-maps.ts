import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { edgeProductOperator } from '../edge-product/edge-product';
import { edgeSoftmaxOperator } from '../edge-softmax/edge-softmax';
import type { EdgeLists } from './edge-lists';
import { sparseProductOperator } from './sparse-product';

/** `x [batch, columns, channels]` along the edges to `[batch, rows, channels]`; `weight [samples, edges]`, of one sample or of each. */
export function sparseProduct(x: Tensor3D, weight: Tensor2D, lists: EdgeLists): Tensor3D {
  return sparseProductOperator.run({ x, weight, ...lists.tensors() }, lists.attributes).output as Tensor3D;
}

/** The inner products of `left [batch, columns, channels]` and `right [batch, rows, channels]` along the edges, `[batch, edges]`. */
export function edgeProduct(left: Tensor3D, right: Tensor3D, lists: EdgeLists): Tensor2D {
  return edgeProductOperator.run({ left, right, ...lists.tensors() }, lists.attributes).output;
}

/** Softmax of `scores [batch, edges]` over the edges of each row. */
export function edgeSoftmax(scores: Tensor, lists: EdgeLists): Tensor2D {
  const { edgeRow, rowStart, rowEdge } = lists.tensors();
  const { longestRow } = lists.attributes;
  return edgeSoftmaxOperator.run({ scores: scores as Tensor2D, edgeRow, rowStart, rowEdge }, { longestRow }).weights;
}
