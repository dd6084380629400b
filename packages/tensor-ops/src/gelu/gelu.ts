import type { Tensor } from '@tensorflow/tfjs-core';
import { checkOptions } from '../check-options';
import { defineOperator } from '../operator/define-operator';
import { composedGelu, composedGeluBackward } from './composed';
import { wasmGelu, wasmGeluBackward } from './wasm';
import { webgpuGelu, webgpuGeluBackward } from './webgpu';

/** Whether the normal distribution is taken as it is, or by its approximation with a hyperbolic tangent. */
export type GeluApproximation = 'none' | 'tanh';

const attributes: { approximate: GeluApproximation } = { approximate: 'none' };
const attributeRules = { approximate: ['none', 'tanh'] } as const;

/** The gradient of `geluOperator`. */
export const geluBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'GeluBackward',
  publicName: 'gelu',
  inputs: { x: '...x', dOutput: '...x' },
  attributes,
  attributeRules,
  outputs: { dX: '...x' },
  compose: composedGeluBackward,
  kernels: { wasm: wasmGeluBackward, webgpu: webgpuGeluBackward },
});

/** The Gaussian error linear unit. */
export const geluOperator = /* @__PURE__ */ defineOperator({
  name: 'Gelu',
  inputs: { x: '...x' },
  attributes,
  attributeRules,
  outputs: { output: '...x' },
  compose: composedGelu,
  kernels: { wasm: wasmGelu, webgpu: webgpuGelu },
  backward: geluBackwardOperator,
});

/**
 * Gaussian error linear unit: `x` times the probability that a normal variable lies below it.
 *
 * $$ y = x \, \Phi(x) \approx \tfrac{x}{2} \left(1 + \tanh\left(\sqrt{2 / \pi} \, (x + 0.044715 \, x^3)\right)\right) $$
 *
 * @param x - float32, of any shape.
 * @param options - `approximate`: `'none'` (default), or `'tanh'` for the approximation on the right.
 * @returns The shape of `x`. New tensor; the caller disposes it.
 * @throws DTypeError; OptionError for an unknown option or value.
 * @remarks O(size) time. Differentiable in `x`; nothing but `x` is kept for the gradient.
 * @see Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
 */
export function gelu(x: Tensor, options: { readonly approximate?: GeluApproximation | undefined } = {}): Tensor {
  checkOptions('gelu', options, attributeRules);
  return geluOperator.run({ x }, { approximate: options.approximate ?? 'none' }).output;
}
