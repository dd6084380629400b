import { checkOptions, defineOperator } from '@mixfold/tensor-ops';
import type { Tensor, Tensor1D } from '@tensorflow/tfjs-core';
import { composedNormalize, composedNormalizeBackward } from './composed';
import { wasmNormalize, wasmNormalizeBackward } from './wasm';
import { webgpuNormalize, webgpuNormalizeBackward } from './webgpu';

/** Options of `normalizeConvKernel`. */
export interface NormalizeConvKernelOptions {
  /** Added to the variance, so that equal taps give `bias` and no NaN. Default 1e-6. */
  readonly epsilon?: number | undefined;
}

/** The gradient of `normalizeConvKernelOperator`. */
export const normalizeConvKernelBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'NormalizeConvKernelBackward',
  publicName: 'normalizeConvKernel',
  inputs: { kernel: 'heads ...taps', gain: 'heads', dOutput: 'heads ...taps' },
  attributes: { epsilon: 1e-6 },
  attributeRules: { epsilon: 'positive' },
  outputs: { dKernel: 'heads ...taps', dGain: 'heads', dBias: 'heads' },
  compose: composedNormalizeBackward,
  kernels: { wasm: wasmNormalizeBackward, webgpu: webgpuNormalizeBackward },
});

/** A kernel of AFT-conv normalised over its taps, head by head. */
export const normalizeConvKernelOperator = /* @__PURE__ */ defineOperator({
  name: 'NormalizeConvKernel',
  inputs: { kernel: 'heads ...taps', gain: 'heads', bias: 'heads' },
  attributes: { epsilon: 1e-6 },
  attributeRules: { epsilon: 'positive' },
  outputs: { output: 'heads ...taps' },
  compose: composedNormalize,
  kernels: { wasm: wasmNormalize, webgpu: webgpuNormalize },
  backward: normalizeConvKernelBackwardOperator,
});

/**
 * The kernel of AFT-conv as the paper parametrises it: per head normalised over the taps, then scaled and shifted.
 *
 * $$ w_h = \gamma_h \frac{k_h - \mathrm{mean}(k_h)}{\sqrt{\mathrm{var}(k_h) + \epsilon}} + \beta_h $$
 *
 * With gain and bias 0, the paper's initial values, the kernel is 0 and AFT-conv starts as AFT-simple. The raw kernel must then be random: it gets no
 * gradient before the gain has moved.
 *
 * @param kernel - `[heads, ...taps]`: `[heads, window]` or `[heads, windowHeight, windowWidth]`, or taps of any other rank.
 * @param gain - `[heads]`.
 * @param bias - `[heads]`.
 * @param options - `epsilon` (default 1e-6). The variance is the biased one, over all taps of a head.
 * @returns A kernel of the same shape. New tensor; the caller disposes it.
 * @throws ShapeError if heads differ; DTypeError; OptionError for an unknown option, or an epsilon that is not above 0.
 * @remarks O(heads taps). Differentiable in kernel, gain and bias.
 * @see Zhai et al. 2021, eq. 8, https://arxiv.org/abs/2105.14103
 * @example
 * const output = aftConv1d(query, key, value, normalizeConvKernel(kernel, gain, bias));
 */
export function normalizeConvKernel<Kernel extends Tensor>(
  kernel: Kernel,
  gain: Tensor1D,
  bias: Tensor1D,
  options: NormalizeConvKernelOptions = {},
): Kernel {
  checkOptions('normalizeConvKernel', options, { epsilon: 'positive' });
  const { epsilon = 1e-6 } = options;
  return normalizeConvKernelOperator.run({ kernel, gain, bias }, { epsilon }).output as Kernel;
}
