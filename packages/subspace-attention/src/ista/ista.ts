import { checkOptions, defineOperator } from '@mixfold/tensor-ops';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { composedIsta, composedIstaBackward } from './composed';
import { wasmIsta, wasmIstaBackward } from './wasm';
import { webgpuIsta, webgpuIstaBackward } from './webgpu';

/** Options of `ista`. */
export interface IstaOptions {
  /** Length of the step, eta. Default 0.1. */
  readonly stepSize?: number | undefined;
  /** What a code must exceed to count, lambda; it is taken off times the step. Default 0.1. */
  readonly threshold?: number | undefined;
}

const rules = { stepSize: 'finite', threshold: 'finite' } as const;

/** The gradient of `istaOperator`. */
export const istaBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'IstaBackward',
  publicName: 'ista',
  inputs: { tokens: 'batch tokens dim', dictionary: 'dim dim', output: 'batch tokens dim', dOutput: 'batch tokens dim' },
  attributes: { stepSize: 0.1, threshold: 0.1 },
  attributeRules: rules,
  outputs: { dTokens: 'batch tokens dim', dDictionary: 'dim dim' },
  compose: composedIstaBackward,
  kernels: { wasm: wasmIstaBackward, webgpu: webgpuIstaBackward },
});

/** One step of iterative shrinkage and thresholding. */
export const istaOperator = /* @__PURE__ */ defineOperator({
  name: 'Ista',
  inputs: { tokens: 'batch tokens dim', dictionary: 'dim dim' },
  attributes: { stepSize: 0.1, threshold: 0.1 },
  attributeRules: rules,
  outputs: { output: 'batch tokens dim' },
  compose: composedIsta,
  kernels: { wasm: wasmIsta, webgpu: webgpuIsta },
  backward: istaBackwardOperator,
  separateGradients: true,
});

/**
 * One step of iterative shrinkage and thresholding towards a sparse, non-negative code of the tokens in a dictionary: CRATE's second half of a layer,
 * with no residual around it.
 *
 * $$ y = \mathrm{relu}\big(x + \eta\, (x - x D^\top)\, D - \eta \lambda\big) $$
 *
 * for tokens as rows; the codes start at the tokens themselves.
 *
 * @param tokens - `[batch, tokens, dim]`, float32.
 * @param dictionary - `[dim, dim]`.
 * @param options - `stepSize` (default 0.1), `threshold` (default 0.1).
 * @returns `[batch, tokens, dim]`, 0 or above. New tensor; the caller disposes it.
 * @throws ShapeError if an axis differs between arguments; DTypeError; OptionError.
 * @remarks O(batch tokens dim^2) time: one product of the tokens by $D - D^\top D$, or two by D where there are fewer tokens than `dim`. Differentiable in
 *   both; nothing but the inputs and the codes is kept for the gradient. No gradient passes a code of 0.
 * @see Yu et al. 2023, https://arxiv.org/abs/2306.01129
 * @example
 * const codes = ista(layerNorm(tokens, gain), dictionary);
 */
export function ista(tokens: Tensor3D, dictionary: Tensor2D, options: IstaOptions = {}): Tensor3D {
  checkOptions('ista', options, rules);
  const { stepSize = 0.1, threshold = 0.1 } = options;
  return istaOperator.run({ tokens, dictionary }, { stepSize, threshold }).output;
}
