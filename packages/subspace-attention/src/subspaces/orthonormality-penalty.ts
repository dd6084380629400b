import { defineOperator } from '@mixfold/tensor-ops';
import type { Scalar, Tensor3D } from '@tensorflow/tfjs-core';
import { composedPenalty, composedPenaltyBackward } from './composed-penalty';

/** The gradient of `orthonormalityPenaltyOperator`. */
export const orthonormalityPenaltyBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'OrthonormalityPenaltyBackward',
  publicName: 'orthonormalityPenalty',
  inputs: { subspaces: 'heads dim headDim', dPenalty: '' },
  outputs: { dSubspaces: 'heads dim headDim' },
  compose: composedPenaltyBackward,
});

/** How far columns are from orthonormal, squared. */
export const orthonormalityPenaltyOperator = /* @__PURE__ */ defineOperator({
  name: 'OrthonormalityPenalty',
  inputs: { subspaces: 'heads dim headDim' },
  outputs: { penalty: '' },
  compose: composedPenalty,
  backward: orthonormalityPenaltyBackwardOperator,
});

/**
 * How far the columns of subspaces are from orthonormal, for a loss: the mean over the heads of
 *
 * $$ \lVert U_k^\top U_k - I \rVert_F^2 $$
 *
 * @param subspaces - `[heads, dim, headDim]`, float32.
 * @returns A scalar, 0 for orthonormal columns. New tensor; the caller disposes it.
 * @throws ShapeError; DTypeError.
 * @remarks O(heads dim headDim^2). Differentiable. `orthonormalityDefect` measures its root over `sqrt(headDim)`, head by head; `orthonormalize` is the hard form.
 * @example
 * const loss = () => tf.add(taskLoss(), tf.mul(0.01, orthonormalityPenalty(subspaces)));
 */
export function orthonormalityPenalty(subspaces: Tensor3D): Scalar {
  return orthonormalityPenaltyOperator.run({ subspaces }, {}).penalty;
}
