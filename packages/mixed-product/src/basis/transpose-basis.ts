import type { ConvolutionBasis } from './convolution-basis';

/**
 * The basis of the transposes: every edge the other way round. With transposed parameters it is the adjoint of a convolution, the transposed
 * convolution of image generators.
 *
 * @param basis - Any; disposing it disposes what the result uses.
 * @returns The basis of `A_k^T`, from `outputSize` to `inputSize` nodes.
 * @remarks At no cost: it holds what `basis` holds.
 * @example
 * const up = transposeBasis(gridBasis1d({ length: 16, window: 4, stride: 2 }));
 */
export function transposeBasis(basis: ConvolutionBasis): ConvolutionBasis {
  return basis.transposed();
}
