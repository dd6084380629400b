import { customGrad, div, exp, type GradSaveFunc, log, max, mean, mul, oneHot, type Scalar, sub, sum, type Tensor, type Tensor1D, type Tensor2D } from '@tensorflow/tfjs-core';

/**
 * Mean cross-entropy of softmax rows, in nats.
 *
 * @param logits - `[rows, classes]`.
 * @param labels - int32 `[rows]`, each in [0, classes).
 * @returns Scalar. Differentiable in the logits.
 */
export function softmaxCrossEntropy(logits: Tensor2D, labels: Tensor1D): Scalar {
  const perRow = customGrad((...args: unknown[]) => {
    const [x, save] = args as [Tensor2D, GradSaveFunc];
    const shifted = sub(x, max(x, 1, true));
    const weights = exp(shifted);
    const total = sum(weights, 1, true);
    const target = oneHot(labels, x.shape[1], 1, 0, 'float32');
    const loss = sub(mean(log(total)), mean(sum(mul(shifted, target), 1)));
    save([weights, total, target]);
    return { value: loss, gradFunc: (dLoss: Scalar, saved: Tensor[]) => backward(dLoss, saved) };
  }) as unknown as (x: Tensor2D) => Scalar;
  return perRow(logits);
}

function backward(dLoss: Scalar, saved: Tensor[]): Tensor2D {
  const [weights, total, target] = saved as [Tensor2D, Tensor2D, Tensor2D];
  return mul(sub(div(weights, total), target), div(dLoss, total.shape[0]));
}
