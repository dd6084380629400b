import { checkOptions } from '@mixfold/tensor-ops';
import { div, maximum, mul, type Scalar, scalar, sqrt, square, stack, sum, type Tensor, tidy } from '@tensorflow/tfjs-core';

/**
 * Scales gradients down together if their common norm is above a maximum.
 *
 * @param gradients - at least one.
 * @param maximumNorm - above 0.
 * @returns The gradients, and their norm before clipping as a scalar that has not been read. New tensors.
 */
export function clipByGlobalNorm(gradients: readonly Tensor[], maximumNorm: number): { gradients: Tensor[]; norm: Scalar } {
  checkOptions('clipByGlobalNorm', { maximumNorm }, { maximumNorm: 'positive' });
  return tidy(() => {
    // Not which binds every tensor at once: a WebGPU program has eight bindings.
    const norm = sqrt(sum(stack(gradients.map((gradient) => sum(square(gradient)))))) as Scalar;
    const scale = div(scalar(maximumNorm), maximum(norm, maximumNorm));
    return { gradients: gradients.map((gradient) => mul(gradient, scale)), norm };
  });
}
