import { type Scalar, type Tensor1D, tidy, valueAndGrads } from '@tensorflow/tfjs-core';
import { flattenParams, type Params, rebuildParams } from '../model/params';
import { concatParams } from '../optimizer/flat-params';

/**
 * A loss and its gradient in every weight.
 *
 * @returns The loss, and the gradient as one vector in the order of `flattenParams`. New tensors.
 */
export function lossAndGradient<P extends Params>(lossOf: (params: P) => Scalar, params: P): { loss: Scalar; gradient: Tensor1D } {
  return tidy(() => {
    const tensors = flattenParams(params).map(([, tensor]) => tensor);
    const { value, grads } = valueAndGrads((...weights) => lossOf(rebuildParams(params, weights)))(tensors);
    return { loss: value as Scalar, gradient: concatParams(grads) };
  });
}
