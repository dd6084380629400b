import { type Scalar, type Tensor, tidy, valueAndGrads } from '@tensorflow/tfjs-core';
import { flattenParams, type Params, rebuildParams } from '../model/params';

/**
 * A loss and its gradient in every weight.
 *
 * @returns The loss, and the gradients in the order of `flattenParams`. New tensors.
 */
export function lossAndGradients<P extends Params>(
  lossOf: (params: P) => Scalar,
  params: P,
): { loss: Scalar; gradients: Tensor[] } {
  return tidy(() => {
    const tensors = flattenParams(params).map(([, tensor]) => tensor);
    const { value, grads } = valueAndGrads((...weights) => lossOf(rebuildParams(params, weights)))(tensors);
    return { loss: value as Scalar, gradients: grads };
  });
}
