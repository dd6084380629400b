import { checkOptions, globalNorm } from '@mixfold/tensor-ops';
import { div, maximum, mul, type Scalar, scalar, type Tensor, tidy } from '@tensorflow/tfjs-core';

/**
 * Scales gradients down together if their common norm is above a maximum.
 *
 * @param maximumNorm - above 0.
 * @returns The gradients, and their norm before clipping as a scalar that has not been read. New tensors.
 */
export function clipByGlobalNorm(gradients: readonly Tensor[], maximumNorm: number): { gradients: Tensor[]; norm: Scalar } {
  return tidy(() => {
    const { scale, norm } = clippingScale(gradients, maximumNorm, 'clipByGlobalNorm');
    return { gradients: gradients.map((gradient) => mul(gradient, scale)), norm };
  });
}

/** The factor that `clipByGlobalNorm` scales by, for an optimiser that takes it as it is: no gradient need be copied. New tensors. */
export function clippingScale(
  gradients: readonly Tensor[],
  maximumNorm: number,
  functionName = 'clippingScale',
): { scale: Scalar; norm: Scalar } {
  checkOptions(functionName, { maximumNorm }, { maximumNorm: 'positive' });
  return tidy(() => {
    const norm = globalNorm(gradients);
    return { norm, scale: div(scalar(maximumNorm), maximum(norm, maximumNorm)) };
  });
}
