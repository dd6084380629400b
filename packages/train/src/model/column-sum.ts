import { matMul, ones, reshape, type Tensor1D, type Tensor2D } from '@tensorflow/tfjs-core';

/**
 * Sum over the rows of `[rows, columns]`, as a product with a row of ones: a matrix product streams the memory in order, where
 * tfjs-wasm's `sum` over axis 0 strides through it and takes ten times as long.
 */
export function columnSum(x: Tensor2D): Tensor1D {
  return reshape(matMul(ones([1, x.shape[0]]) as Tensor2D, x), [x.shape[1]]);
}
