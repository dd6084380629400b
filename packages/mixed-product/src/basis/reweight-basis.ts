import { bindShapes, checkTensor, matMul } from '@mixfold/tensor-ops';
import { type Tensor, type Tensor2D, type Tensor4D, tidy } from '@tensorflow/tfjs-core';
import { permuted, viewAs } from '../tape/views';
import { type BasisSpec, type ConvolutionBasis, defineBasis } from './convolution-basis';

/**
 * A change of basis: new graphs as weighted sums of those of a basis, `A'_b = sum_k c_kb A_k`. The convolution over it with V is the one over the old basis
 * with `Theta_k = sum_b c_kb V_b`: fewer new terms than old ones are the basis decomposition of relational networks.
 *
 * @param basis - K terms.
 * @param weights - `c [K, newTerms]`, float32.
 * @returns The basis with `newTerms` terms; differentiable in `weights`.
 * @throws ShapeError if `weights` has not a row per term; DTypeError.
 * @remarks Costs what `basis` costs, and one product of matrices more.
 * @see Schlichtkrull et al. 2018, section 2.2, https://arxiv.org/abs/1703.06103
 * @example
 * const few = reweightBasis(relationalBasis(graphs), coefficients);
 */
export function reweightBasis(basis: ConvolutionBasis, weights: Tensor2D): ConvolutionBasis {
  checkTensor('reweightBasis', 'weights', weights, ['float32']);
  const { inputSize, outputSize } = basis;
  bindShapes('reweightBasis', {
    basis: [{ shape: [basis.terms, inputSize, outputSize] }, 'terms source target'],
    weights: [weights, 'terms newTerms'],
  });
  return defineBasis(reweightedSpec(basis, weights));
}

function reweightedSpec(basis: ConvolutionBasis, weights: Tensor2D): BasisSpec {
  const [old, terms] = weights.shape;
  const { inputSize, outputSize, samples, edges } = basis;
  /** Brings the axis of terms last, multiplies, and brings it back. */
  const mixed = (h: Tensor4D, transposeB: boolean): Tensor4D => {
    const [batch, nodes, given, channels] = h.shape;
    const rows = permuted(viewAs(h, [batch * nodes, given, channels]), [0, 2, 1]);
    const made = permuted(matMul(rows, weights, { transposeB }), [0, 2, 1]);
    return viewAs(made, [batch, nodes, transposeB ? old : terms, channels]);
  };
  return {
    name: 'reweightBasis',
    terms,
    inputSize,
    outputSize,
    edges,
    samples,
    apply: (x) => tidy(() => mixed(basis.apply(x), false)),
    applySum: (h) => tidy(() => basis.applySum(mixed(h, true))),
    applyEach: (h) =>
      tidy(() => {
        // Every new term meets every old one: sum_k c_kb A_k^T h_b.
        const [batch, , , channels] = h.shape;
        const carried = basis.apply(viewAs(h, [batch, inputSize, terms * channels]));
        const split = permuted(viewAs(carried, [batch * outputSize, old, terms, channels]), [2, 0, 3, 1]);
        const columns = viewAs(permuted(weights, [1, 0]), [terms, old, 1]);
        const made = matMul(viewAs(split, [terms, batch * outputSize * channels, old]), columns);
        return viewAs<Tensor4D>(permuted(viewAs(made, [terms, batch * outputSize, channels]), [1, 0, 2]), [
          batch,
          outputSize,
          terms,
          channels,
        ]);
      }),
    transposed: () => reweightedSpec(basis.transposed(), weights),
    toDense: () =>
      tidy(() => {
        const dense = basis.toDense();
        const stack = samples ?? 1;
        const rows = permuted(viewAs(dense, [stack, old, inputSize * outputSize]), [0, 2, 1]);
        const made = permuted(matMul(rows, weights), [0, 2, 1]);
        return viewAs<Tensor>(made, [...(samples === null ? [] : [samples]), terms, inputSize, outputSize]);
      }),
    dispose: () => basis.dispose(),
  };
}
