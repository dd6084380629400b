import { checkOptions, defineOperator } from '@mixfold/tensor-ops';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { AftOptions } from '../aft-simple/aft-simple';
import { convRules } from '../conv-grid/geometry';
import { wasmConv, wasmConvBackward } from '../conv-grid/wasm';
import { webgpuConv, webgpuConvBackward } from '../conv-grid/webgpu';
import { type QueryActivation, queryActivations } from '../query-activation';
import { composedAftConv1d, composedAftConv1dBackward } from './composed';

const attributes: { causal: boolean; queryActivation: QueryActivation } = { causal: false, queryActivation: 'sigmoid' };
const attributeRules = { queryActivation: queryActivations };
const shapes = /* @__PURE__ */ convRules('aftConv1d');

/** The gradient of `aftConv1dOperator`. */
export const aftConv1dBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftConv1dBackward',
  publicName: 'aftConv1d',
  inputs: {
    query: 'batch time dim',
    key: 'batch time heads',
    value: 'batch time dim',
    kernel: 'heads window',
    'keyMask?': 'batch time',
    context: 'batch time dim',
    logNormalizer: 'batch time heads',
    logRest: 'batch time heads',
    dOutput: 'batch time dim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { dQuery: 'batch time dim', dKey: 'batch time heads', dValue: 'batch time dim', dKernel: 'heads window' },
  shapes,
  compose: composedAftConv1dBackward,
  kernels: { wasm: wasmConvBackward, webgpu: webgpuConvBackward },
});

/** AFT-conv over time. */
export const aftConv1dOperator = /* @__PURE__ */ defineOperator({
  name: 'AftConv1d',
  inputs: {
    query: 'batch time dim',
    key: 'batch time heads',
    value: 'batch time dim',
    kernel: 'heads window',
    'keyMask?': 'batch time',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim' },
  saved: { context: 'batch time dim', logNormalizer: 'batch time heads', logRest: 'batch time heads' },
  shapes,
  compose: composedAftConv1d,
  kernels: { wasm: wasmConv, webgpu: webgpuConv },
  backward: aftConv1dBackwardOperator,
});

/**
 * Attention Free Transformer, convolutional form over time: every target mixes all sources, weighted per head by their keys and, within a
 * window around the target, by the tap that reads them; then gated by its query.
 *
 * $$ Y_t = \sigma(Q_t) \odot \frac{\sum_{t'} e^{K_{t'} + w_{t,t'}} V_{t'}}{\sum_{t'} e^{K_{t'} + w_{t,t'}}} $$
 *
 * Tap $r$ reads source $t - \lfloor (window - 1) / 2 \rfloor + r$, or $t - (window - 1) + r$ if causal, and $w_{t,t'}$ is its weight; outside the window
 * $w$ is 0, so every source stays connected. There is no padding: sources beyond the ends do not exist.
 *
 * @param query - `[batch, time, dim]`, float32.
 * @param key - `[batch, time, heads]`, in nats: one per head. Heads divide `dim`; the channels of a head are contiguous.
 * @param value - `[batch, time, dim]`.
 * @param kernel - `[heads, window]`, in nats. Any window, also one wider than the sequence. `normalizeConvKernel` makes it as the paper does.
 * @param options - `causal` (default false), `keyMask` `[batch, time]`, `queryActivation` (default `'sigmoid'`).
 * @returns `[batch, time, dim]`. New tensor; the caller disposes it. A target without any source gives 0.
 * @throws ShapeError if an axis differs between arguments or heads do not divide dim; DTypeError; OptionError for an unknown option or value.
 * @remarks O(time window dim) time, O(time dim) memory, for any finite keys and kernel. Differentiable in query, key, value and kernel.
 * @see Zhai et al. 2021, eq. 6, https://arxiv.org/abs/2105.14103
 * @example
 * const kernel = normalizeConvKernel(rawKernel, gain, bias);
 * const output = aftConv1d(query, key, value, kernel, { causal: true });
 */
export function aftConv1d(query: Tensor3D, key: Tensor3D, value: Tensor3D, kernel: Tensor2D, options: AftOptions = {}): Tensor3D {
  checkOptions('aftConv1d', options, { causal: 'boolean', keyMask: 'tensor', queryActivation: queryActivations });
  const { causal = false, queryActivation = 'sigmoid' } = options;
  const keyMask = options.keyMask as Tensor2D | undefined;
  return aftConv1dOperator.run({ query, key, value, kernel, keyMask }, { causal, queryActivation }).output;
}
