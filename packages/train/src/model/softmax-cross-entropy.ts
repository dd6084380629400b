import {
  cast,
  div,
  exp,
  log,
  max,
  mean,
  mul,
  oneHot,
  type Scalar,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
} from '@tensorflow/tfjs-core';
import { withGradient } from './with-gradient';

/**
 * Mean cross-entropy of softmax rows, in nats.
 *
 * @param logits - `[rows, classes]`.
 * @param labels - int32 `[rows]`, each in [0, classes).
 * @returns Scalar. Differentiable in the logits.
 */
export function softmaxCrossEntropy(logits: Tensor2D, labels: Tensor1D): Scalar {
  const meanLoss = withGradient((x: Tensor2D) => {
    const shifted = sub(x, max(x, 1, true));
    const weights = exp(shifted);
    const total = sum(weights, 1, true);
    // tfjs-wasm fills a float32 oneHot with the bits of the integer 1, hence the cast.
    const target = cast(oneHot(labels, x.shape[1]), 'float32');
    const loss: Scalar = sub(mean(log(total)), mean(sum(mul(shifted, target), 1)));
    return { value: loss, saved: [weights, total, target] };
  }, backward);
  return meanLoss(logits);
}

function backward(dLoss: Scalar, saved: Tensor[]): [Tensor2D] {
  const [weights, total, target] = saved as [Tensor2D, Tensor2D, Tensor2D];
  return [mul<Tensor2D>(sub(div(weights, total), target), div(dLoss, total.shape[0]))];
}
