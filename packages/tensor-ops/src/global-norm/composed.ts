import { reshape, sqrt, square, stack, sum, type Tensor } from '@tensorflow/tfjs-core';
import { sumOfRows } from '../lines/sum-of-rows';
import { itemsOf } from '../tensor-list/tensor-list';

/** Not what binds every tensor at once: a WebGPU program has eight bindings. */
export function composedGlobalNorm(inputs: Readonly<Record<string, Tensor>>): { norm: Tensor } {
  const sums = itemsOf('tensors', inputs).map((x) => reshape(sumOfRows(square(reshape(x, [1, x.size]))), []));
  return { norm: sqrt(sum(stack(sums))) };
}
