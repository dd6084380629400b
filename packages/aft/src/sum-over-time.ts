import { pad, reshape, sum, type Tensor } from '@tensorflow/tfjs-core';

/**
 * The sum of `[batch, time, dim]` over time, `[batch, 1, dim]`, by blocks of about the square root of time: tfjs adds float32 numbers one after
 * the other, which over thousands of steps costs more digits than we promise.
 */
export function sumOverTime(x: Tensor): Tensor {
  const [batch, time, dim] = x.shape as [number, number, number];
  const block = Math.ceil(Math.sqrt(time));
  const blocks = Math.ceil(time / block);
  const padded = pad(x, [
    [0, 0],
    [0, blocks * block - time],
    [0, 0],
  ]);
  return sum(sum(reshape(padded, [batch, blocks, block, dim]), 2), 1, true);
}
