import { concat, reshape, slice, type Tensor, type Tensor1D } from '@tensorflow/tfjs-core';
import { flattenParams, type Params, rebuildParams } from '../model/params';

/** All tensors of the params, or of their gradients, one after the other in one vector: an optimiser then updates everything by a dozen ops. */
export function concatParams(tensors: readonly Tensor[]): Tensor1D {
  return concat(
    tensors.map((tensor) => reshape(tensor, [tensor.size]) as Tensor1D),
    0,
  );
}

/** The inverse of `concatParams`: new tensors, in the structure and shapes of `template`. */
export function splitParams<P extends Params>(flat: Tensor1D, template: P): P {
  let offset = 0;
  const tensors = flattenParams(template).map(([, { shape, size }]) => {
    const part = reshape(slice(flat, offset, size), shape);
    offset += size;
    return part;
  });
  return rebuildParams(template, tensors);
}
