import { add, matMul, reshape, type Tensor, type Variable } from '@tensorflow/tfjs-core';
import type { layers } from '@tensorflow/tfjs-layers';

/** A weight of a layer. */
export type LayerVariable = ReturnType<layers.Layer['addWeight']>;

/**
 * Projects the last axis by a layer's weights, `[..., from]` to `[..., to]`, by tfjs's own ops.
 *
 * In two dimensions: the gradient that tfjs has for a product of [batch, time, dim] and a matrix throws.
 */
export function projectLastAxis(x: Tensor, kernel: LayerVariable, bias?: LayerVariable): Tensor {
  const width = x.shape.at(-1)!;
  const matrix = kernel.read() as Variable;
  const product = matMul(reshape(x, [x.size / width, width]), matrix);
  return reshape(bias ? add(product, bias.read()) : product, [...x.shape.slice(0, -1), matrix.shape[1]!]);
}
