import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { checkOptions } from '../check-options';
import { composedNorm, composedNormBackward } from '../layer-norm/composed';
import { wasmRmsNorm, wasmRmsNormBackward } from '../layer-norm/wasm';
import { webgpuRmsNorm, webgpuRmsNormBackward } from '../layer-norm/webgpu';
import { defineOperator } from '../operator/define-operator';

const attributes = { epsilon: 1e-6 };
const attributeRules = { epsilon: 'positive' } as const;

/** The gradient of `rmsNormOperator`. */
export const rmsNormBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'RmsNormBackward',
  publicName: 'rmsNorm',
  inputs: { x: '...rows dim', gain: 'dim', moments: '...rows 3', dOutput: '...rows dim' },
  outputs: { dX: '...rows dim', dGain: 'dim' },
  compose: (inputs) => composedNormBackward(false, inputs),
  kernels: { wasm: wasmRmsNormBackward, webgpu: webgpuRmsNormBackward },
});

/**
 * RMS normalisation: layer normalisation in which the mean counts as 0, so `moments` are 0, 0 and the inverse of the root mean
 * square.
 */
export const rmsNormOperator = /* @__PURE__ */ defineOperator({
  name: 'RmsNorm',
  inputs: { x: '...rows dim', gain: 'dim' },
  attributes,
  attributeRules,
  outputs: { output: '...rows dim' },
  saved: { moments: '...rows 3' },
  compose: (inputs, { epsilon }, { outputShapes }) => composedNorm(false, inputs, epsilon, outputShapes),
  kernels: { wasm: wasmRmsNorm, webgpu: webgpuRmsNorm },
  backward: rmsNormBackwardOperator,
});

/**
 * RMS normalisation over the last axis, with a learned gain.
 *
 * $$ y = g \odot \frac{x}{\sqrt{\operatorname{mean}(x^2) + \epsilon}} $$
 *
 * @param x - `[..., dim]`, float32.
 * @param gain - `[dim]`.
 * @param options - `epsilon`, above 0 (default 1e-6).
 * @returns The shape of `x`. New tensor; the caller disposes it.
 * @throws ShapeError if `gain` is not as long as the last axis; DTypeError; OptionError.
 * @remarks O(size) time; three numbers per row are kept for the gradient. Differentiable in x and gain.
 * @see Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467
 */
export function rmsNorm(x: Tensor, gain: Tensor1D, options: { readonly epsilon?: number | undefined } = {}): Tensor {
  checkOptions('rmsNorm', options, attributeRules);
  return rmsNormOperator.run({ x, gain }, { epsilon: options.epsilon ?? attributes.epsilon }).output;
}
