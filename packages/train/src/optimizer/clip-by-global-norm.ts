import { checkOptions } from '@mixfold/tensor-ops';
import { div, maximum, mul, type Scalar, scalar, sqrt, square, sum, type Tensor1D, tidy } from '@tensorflow/tfjs-core';

/**
 * Scales a gradient down to a norm if it is longer.
 *
 * @param gradient - all gradients as one vector.
 * @param maximumNorm - above 0.
 * @returns The clipped vector, and the norm before clipping as a scalar that has not been read. New tensors.
 */
export function clipByGlobalNorm(gradient: Tensor1D, maximumNorm: number): { gradient: Tensor1D; norm: Scalar } {
  checkOptions('clipByGlobalNorm', { maximumNorm }, { maximumNorm: 'positive' });
  return tidy(() => {
    const norm = sqrt(sum(square(gradient))) as Scalar;
    const scale = div(scalar(maximumNorm), maximum(norm, maximumNorm));
    return { gradient: mul<Tensor1D>(gradient, scale), norm };
  });
}
