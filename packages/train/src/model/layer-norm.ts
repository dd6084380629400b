import { add, mean, mul, rsqrt, square, sub, type Tensor, type Tensor1D, type Tensor2D } from '@tensorflow/tfjs-core';
import { columnSum } from './column-sum';
import { withGradient } from './with-gradient';

const EPSILON = 1e-5;

/**
 * Layer normalisation of every row, with a learned gain and no bias.
 *
 * $$ y = g \odot \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} $$
 *
 * One node on the gradient tape: the backward reads the normalised rows again rather than eight intermediate tensors.
 *
 * @param x - `[rows, dim]`.
 * @param gain - `[dim]`.
 * @see Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450
 */
export function layerNorm(x: Tensor2D, gain: Tensor1D): Tensor2D {
  return normalise(x, gain);
}

const normalise = withGradient((x: Tensor2D, gain: Tensor1D) => {
  const centred = sub(x, mean(x, 1, true));
  const inverseDeviation = rsqrt(add(mean(square(centred), 1, true), EPSILON));
  const normalised = mul<Tensor2D>(centred, inverseDeviation);
  return { value: mul<Tensor2D>(normalised, gain), saved: [gain, inverseDeviation, normalised] };
}, backward);

function backward(dOutput: Tensor2D, saved: Tensor[]): [Tensor2D, Tensor1D] {
  const [gain, inverseDeviation, normalised] = saved as [Tensor1D, Tensor2D, Tensor2D];
  const weighted = mul<Tensor2D>(dOutput, normalised);
  const dNormalised = mul<Tensor2D>(dOutput, gain);
  const projection = mul(normalised, mean(mul(dNormalised, normalised), 1, true));
  const dCentred = sub(sub(dNormalised, mean(dNormalised, 1, true)), projection);
  return [mul<Tensor2D>(dCentred, inverseDeviation), columnSum(weighted)];
}
