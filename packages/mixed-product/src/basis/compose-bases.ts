import { matMul, ShapeError } from '@mixfold/tensor-ops';
import { type Tensor, type Tensor3D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { permuted, viewAs } from '../tape/views';
import { commonSamples, denseFor } from './concat-bases';
import { type BasisSpec, type ConvolutionBasis, defineBasis } from './convolution-basis';

/**
 * One basis after another: the terms are all products `A_k B_l`, so that a convolution over it is two convolutions without anything between them.
 *
 * @param first - From M to N nodes, K terms.
 * @param second - From N to R nodes, L terms.
 * @returns The basis from M to R nodes with K L terms; that of k and l is the term `k L + l`. With `Theta_k Psi_l` as its parameter it is the convolution
 *   by Theta, then the one by Psi.
 * @throws ShapeError if the nodes between differ, or both have samples and not as many.
 * @remarks Matrix-free: `apply` costs `first.edges + K second.edges` per channel.
 * @example
 * const both = composeBases(shiftByRow, shiftByColumn);
 */
export function composeBases(first: ConvolutionBasis, second: ConvolutionBasis): ConvolutionBasis {
  if (first.outputSize !== second.inputSize) {
    throw new ShapeError(
      `composeBases: the first basis ends in ${first.outputSize} nodes but the second starts from ${second.inputSize}`,
    );
  }
  return defineBasis(composedSpec(first, second, commonSamples('composeBases', [first, second]), true));
}

/** `isFirstMajor`: whether the terms of the first basis are the outer ones. */
function composedSpec(
  first: ConvolutionBasis,
  second: ConvolutionBasis,
  samples: number | null,
  isFirstMajor: boolean,
): BasisSpec {
  const [K, L] = [first.terms, second.terms];
  const terms = K * L;
  const [inputSize, middle, outputSize] = [first.inputSize, first.outputSize, second.outputSize];
  /** `[batch, nodes, terms, channels]` as `[batch, nodes, K, L, channels]`, its terms brought to the order asked for, then as `[batch, nodes, ...shape]`. */
  const ordered = <T extends Tensor>(h: Tensor, from: 'KL' | 'LK', to: 'KL' | 'LK', shape: readonly number[]): T => {
    const [batch, nodes, channels] = [h.shape[0]!, h.shape[1]!, h.size / (h.shape[0]! * h.shape[1]! * terms)];
    const outer = from === 'KL' ? K : L;
    const split = viewAs(h, [batch * nodes, outer, terms / outer, channels]);
    return viewAs<T>(from === to ? split : permuted(split, [0, 2, 1, 3]), [batch, nodes, ...shape]);
  };
  const own = isFirstMajor ? 'KL' : 'LK';
  return {
    name: 'composeBases',
    terms,
    inputSize,
    outputSize,
    edges: first.edges + K * second.edges,
    samples,
    apply: (x) =>
      tidy(() => {
        const channels = x.shape[2];
        const carried = first.apply(x);
        const made = second.apply(viewAs<Tensor3D>(carried, [x.shape[0], middle, K * channels]));
        return ordered<Tensor4D>(made, 'LK', own, [terms, channels]);
      }),
    applySum: (h) =>
      tidy(() => {
        const channels = h.shape[3];
        const carried = first.applySum(ordered<Tensor4D>(h, own, 'KL', [K, L * channels]));
        return second.applySum(viewAs<Tensor4D>(carried, [h.shape[0], middle, L, channels]));
      }),
    applyEach: (h) =>
      tidy(() => {
        const channels = h.shape[3];
        const carried = first.applyEach(ordered<Tensor4D>(h, own, 'KL', [K, L * channels]));
        const made = second.applyEach(ordered<Tensor4D>(carried, 'KL', 'LK', [L, K * channels]));
        return ordered<Tensor4D>(made, 'LK', own, [terms, channels]);
      }),
    transposed: () => composedSpec(second.transposed(), first.transposed(), samples, !isFirstMajor),
    toDense: () =>
      tidy(() => {
        const [left, right] = [denseFor(first, samples), denseFor(second, samples)];
        const stack = samples ?? 1;
        // [stack, K M, N] by [stack, N, L R].
        const rows = viewAs(left, [stack, K * inputSize, middle]);
        const columns = viewAs(permuted(viewAs(right, [stack, L, middle, outputSize]), [0, 2, 1, 3]), [
          stack,
          middle,
          L * outputSize,
        ]);
        const made = viewAs(matMul(rows, columns), [stack * K, inputSize, L, outputSize]);
        const inOrder = viewAs(permuted(made, [0, 2, 1, 3]), [stack, K, L, inputSize * outputSize]);
        const ownOrder = isFirstMajor ? inOrder : permuted(inOrder, [0, 2, 1, 3]);
        return viewAs(ownOrder, [...(samples === null ? [] : [samples]), terms, inputSize, outputSize]);
      }),
    dispose: () => {
      first.dispose();
      second.dispose();
    },
  };
}
