import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { checkOptions } from '../check-options';
import { defineOperator } from '../operator/define-operator';
import { composedNorm, composedNormBackward } from './composed';
import { wasmLayerNorm, wasmLayerNormBackward } from './wasm';
import { webgpuLayerNorm, webgpuLayerNormBackward } from './webgpu';

const attributes = { epsilon: 1e-5 };
const attributeRules = { epsilon: 'positive' } as const;

/** The gradient of `layerNormOperator`. */
export const layerNormBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'LayerNormBackward',
  publicName: 'layerNorm',
  inputs: { x: '...rows dim', gain: 'dim', 'bias?': 'dim', moments: '...rows 3', dOutput: '...rows dim' },
  outputs: { dX: '...rows dim', dGain: 'dim', 'dBias?': 'dim' },
  compose: (inputs) => composedNormBackward(true, inputs),
  kernels: { wasm: wasmLayerNormBackward, webgpu: webgpuLayerNormBackward },
});

/** Layer normalisation. `moments` are the mean, what rounding took from it, and the inverse of the deviation. */
export const layerNormOperator = /* @__PURE__ */ defineOperator({
  name: 'LayerNorm',
  inputs: { x: '...rows dim', gain: 'dim', 'bias?': 'dim' },
  attributes,
  attributeRules,
  outputs: { output: '...rows dim' },
  saved: { moments: '...rows 3' },
  compose: (inputs, { epsilon }, { outputShapes }) => composedNorm(true, inputs, epsilon, outputShapes),
  kernels: { wasm: wasmLayerNorm, webgpu: webgpuLayerNorm },
  backward: layerNormBackwardOperator,
});

/**
 * Layer normalisation over the last axis, with a learned gain and, if given, a learned bias.
 *
 * $$ y = g \odot \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + b $$
 *
 * @param x - `[..., dim]`, float32.
 * @param gain - `[dim]`.
 * @param bias - `[dim]`, or nothing.
 * @param options - `epsilon`, above 0 (default 1e-5).
 * @returns The shape of `x`. New tensor; the caller disposes it.
 * @throws ShapeError if `gain` or `bias` is not as long as the last axis; DTypeError; OptionError.
 * @remarks O(size) time; three numbers per row are kept for the gradient. Differentiable in x, gain and bias. The variance is
 *   that of the centred row, so rows far from 0 keep their digits.
 * @see Ba, Kiros and Hinton 2016, https://arxiv.org/abs/1607.06450
 */
export function layerNorm(
  x: Tensor,
  gain: Tensor1D,
  bias?: Tensor1D,
  options: { readonly epsilon?: number | undefined } = {},
): Tensor {
  checkOptions('layerNorm', options, attributeRules);
  return layerNormOperator.run({ x, gain, bias }, { epsilon: options.epsilon ?? attributes.epsilon }).output;
}
