import { checkOptions, defineOperator, OptionError } from '@mixfold/tensor-ops';
import type { Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import type { AftOptions } from '../aft-simple/aft-simple';
import { convRules } from '../conv-grid/geometry';
import { wasmConv, wasmConvBackward } from '../conv-grid/wasm';
import { webgpuConv, webgpuConvBackward } from '../conv-grid/webgpu';
import { type QueryActivation, queryActivations } from '../query-activation';
import { composedAftConv2d, composedAftConv2dBackward } from './composed';

const attributes: { queryActivation: QueryActivation } = { queryActivation: 'sigmoid' };
const attributeRules = { queryActivation: queryActivations };
const shapes = /* @__PURE__ */ convRules('aftConv2d');

/** The gradient of `aftConv2dOperator`. */
export const aftConv2dBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftConv2dBackward',
  publicName: 'aftConv2d',
  inputs: {
    query: 'batch height width dim',
    key: 'batch height width heads',
    value: 'batch height width dim',
    kernel: 'heads windowHeight windowWidth',
    'keyMask?': 'batch height width',
    context: 'batch height width dim',
    logNormalizer: 'batch height width heads',
    logRest: 'batch height width heads',
    dOutput: 'batch height width dim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: {
    dQuery: 'batch height width dim',
    dKey: 'batch height width heads',
    dValue: 'batch height width dim',
    dKernel: 'heads windowHeight windowWidth',
  },
  shapes,
  compose: composedAftConv2dBackward,
  kernels: { wasm: wasmConvBackward, webgpu: webgpuConvBackward },
});

/** AFT-conv over a grid. */
export const aftConv2dOperator = /* @__PURE__ */ defineOperator({
  name: 'AftConv2d',
  inputs: {
    query: 'batch height width dim',
    key: 'batch height width heads',
    value: 'batch height width dim',
    kernel: 'heads windowHeight windowWidth',
    'keyMask?': 'batch height width',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch height width dim' },
  saved: { context: 'batch height width dim', logNormalizer: 'batch height width heads', logRest: 'batch height width heads' },
  shapes,
  compose: composedAftConv2d,
  kernels: { wasm: wasmConv, webgpu: webgpuConv },
  backward: aftConv2dBackwardOperator,
});

/**
 * Attention Free Transformer, convolutional form over a grid, as for images: every target mixes all sources, weighted per head by their keys
 * and, within a window around the target, by the tap that reads them; then gated by its query.
 *
 * $$ Y_t = \sigma(Q_t) \odot \frac{\sum_{t'} e^{K_{t'} + w_{t,t'}} V_{t'}}{\sum_{t'} e^{K_{t'} + w_{t,t'}}} $$
 *
 * Tap $(r_y, r_x)$ of target $(y, x)$ reads source $(y - \lfloor (windowHeight - 1) / 2 \rfloor + r_y,\; x - \lfloor (windowWidth - 1) / 2 \rfloor + r_x)$; outside
 * the window $w$ is 0, so every source stays connected. Sources off the grid do not exist. The kernel does not know the size of the grid: what is
 * trained at one size runs at another.
 *
 * @param query - `[batch, height, width, dim]`, float32.
 * @param key - `[batch, height, width, heads]`, in nats: one per head. Heads divide `dim`; the channels of a head are contiguous.
 * @param value - `[batch, height, width, dim]`.
 * @param kernel - `[heads, windowHeight, windowWidth]`, in nats. `normalizeConvKernel` makes it as the paper does.
 * @param options - `keyMask` `[batch, height, width]`, `queryActivation` (default `'sigmoid'`). A grid has no order, so `causal` is refused.
 * @returns `[batch, height, width, dim]`. New tensor; the caller disposes it. A target without any source gives 0.
 * @throws ShapeError if an axis differs between arguments or heads do not divide dim; DTypeError; OptionError for an unknown option or value.
 * @remarks O(height width windowHeight windowWidth dim) time, O(height width dim) memory, for any finite keys and kernel. Differentiable in query,
 *   key, value and kernel.
 * @see Zhai et al. 2021, eq. 6, https://arxiv.org/abs/2105.14103
 * @example
 * const output = aftConv2d(query, key, value, normalizeConvKernel(kernel, gain, bias));
 */
export function aftConv2d(
  query: Tensor4D,
  key: Tensor4D,
  value: Tensor4D,
  kernel: Tensor3D,
  options: Omit<AftOptions, 'causal'> = {},
): Tensor4D {
  if ((options as AftOptions | undefined)?.causal) {
    throw new OptionError('aftConv2d: option causal cannot be true: a grid has no order; flatten it to a line and use aftConv1d');
  }
  checkOptions('aftConv2d', options, { causal: [false], keyMask: 'tensor', queryActivation: queryActivations });
  const { queryActivation = 'sigmoid' } = options;
  const keyMask = options.keyMask as Tensor3D | undefined;
  return aftConv2dOperator.run({ query, key, value, kernel, keyMask }, { queryActivation }).output;
}
