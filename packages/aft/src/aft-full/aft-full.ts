import { bindShapes, checkOptions, defineOperator, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { AftOptions } from '../aft-simple/aft-simple';
import { type PositionBias, withPositionBias } from '../position-bias';
import { type QueryActivation, queryActivations } from '../query-activation';
import { composedAftFull, composedAftFullBackward, composedAftFullFactored, composedAftFullFactoredBackward } from './composed';
import { wasmAftFull, wasmAftFullBackward } from './wasm';
import { webgpuAftFull, webgpuAftFullBackward } from './webgpu';

const attributes: { causal: boolean; queryActivation: QueryActivation } = { causal: false, queryActivation: 'sigmoid' };
const attributeRules = { queryActivation: queryActivations };

// The contracts below are written out, not spread: a bundler keeps an unused definition whose arguments hold a spread.
// `logNormalizer` is the log of the denominator relative to the largest key of the channel, so that a constant added to all keys costs it no digit.

/** The gradient of `aftFullOperator`. */
export const aftFullBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftFullBackward',
  publicName: 'aftFull',
  inputs: {
    query: 'batch target dim',
    key: 'batch source dim',
    value: 'batch source dim',
    positionBias: 'target source',
    'keyMask?': 'batch source',
    context: 'batch target dim',
    logNormalizer: 'batch target dim',
    dOutput: 'batch target dim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: {
    dQuery: 'batch target dim',
    dKey: 'batch source dim',
    dValue: 'batch source dim',
    dPositionBias: 'target source',
  },
  compose: composedAftFullBackward,
  kernels: { wasm: wasmAftFullBackward, webgpu: webgpuAftFullBackward },
});

/** AFT-full with a bias per pair of target and source. */
export const aftFullOperator = /* @__PURE__ */ defineOperator({
  name: 'AftFull',
  publicName: 'aftFull',
  inputs: {
    query: 'batch target dim',
    key: 'batch source dim',
    value: 'batch source dim',
    positionBias: 'target source',
    'keyMask?': 'batch source',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch target dim' },
  saved: { context: 'batch target dim', logNormalizer: 'batch target dim' },
  compose: composedAftFull,
  kernels: { wasm: wasmAftFull, webgpu: webgpuAftFull },
  backward: aftFullBackwardOperator,
});

/** The gradient of `aftFullFactoredOperator`. */
export const aftFullFactoredBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftFullFactoredBackward',
  publicName: 'aftFull',
  inputs: {
    query: 'batch target dim',
    key: 'batch source dim',
    value: 'batch source dim',
    u: 'target rank',
    v: 'source rank',
    'keyMask?': 'batch source',
    context: 'batch target dim',
    logNormalizer: 'batch target dim',
    dOutput: 'batch target dim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: {
    dQuery: 'batch target dim',
    dKey: 'batch source dim',
    dValue: 'batch source dim',
    dU: 'target rank',
    dV: 'source rank',
  },
  compose: composedAftFullFactoredBackward,
  kernels: { wasm: wasmAftFullBackward, webgpu: webgpuAftFullBackward },
});

/** AFT-full with a bias that is the product of two factors, and never made. */
export const aftFullFactoredOperator = /* @__PURE__ */ defineOperator({
  name: 'AftFullFactored',
  publicName: 'aftFull',
  inputs: {
    query: 'batch target dim',
    key: 'batch source dim',
    value: 'batch source dim',
    u: 'target rank',
    v: 'source rank',
    'keyMask?': 'batch source',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch target dim' },
  saved: { context: 'batch target dim', logNormalizer: 'batch target dim' },
  compose: composedAftFullFactored,
  kernels: { wasm: wasmAftFull, webgpu: webgpuAftFull },
  backward: aftFullFactoredBackwardOperator,
});

/**
 * Attention Free Transformer, full form: every target mixes all sources, weighted per channel by their keys and per pair by a bias, then gated
 * by its query.
 *
 * $$ Y_t = \sigma(Q_t) \odot \frac{\sum_{t'} e^{K_{t'} + w_{t,t'}} \odot V_{t'}}{\sum_{t'} e^{K_{t'} + w_{t,t'}}} $$
 *
 * @param query - `[batch, target, dim]`, float32.
 * @param key - `[batch, source, dim]`, in nats. For self-attention source is target.
 * @param value - `[batch, source, dim]`.
 * @param positionBias - `[target, source]`, in nats, or its factors `{u, v}` of shape `[target, rank]` and `[source, rank]`, whose product is never
 *   made. What is larger than the sequence is sliced to it, with gradient 0 outside.
 * @param options - `causal` (default false; target t sees the sources up to t), `keyMask`, `queryActivation` (default `'sigmoid'`).
 * @returns `[batch, target, dim]`. New tensor; the caller disposes it. A target without any source gives 0.
 * @throws ShapeError if an axis differs between arguments, the bias is smaller than the sequence, or a causal call has other sources than targets;
 *   DTypeError; OptionError for an unknown option or value.
 * @remarks O(target source dim) time, O((target + source) dim) memory, for any finite keys and biases. Differentiable in query, key, value and
 *   bias, factors included. A bias that is free for every pair leaves no state of constant size, so there is no streaming form: `aftSimple` has
 *   one.
 * @see Zhai et al. 2021, eq. 2, https://arxiv.org/abs/2105.14103
 * @example
 * const output = aftFull(query, key, value, { u, v }, { causal: true });
 */
export function aftFull(
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  positionBias: PositionBias,
  options: AftOptions = {},
): Tensor3D {
  checkOptions('aftFull', options, { causal: 'boolean', keyMask: 'tensor', queryActivation: queryActivations });
  const { causal = false, queryActivation = 'sigmoid' } = options;
  const axes = {
    query: [query, 'batch target dim'],
    key: [key, 'batch source dim'],
    value: [value, 'batch source dim'],
  } as const;
  const { target, source } = bindShapes('aftFull', axes);
  if (causal && target !== source) {
    throw new ShapeError(
      `aftFull: causal needs as many sources as targets, got ${target} targets and ${source} sources; leave causal out for cross-attention`,
    );
  }
  const given = { query, key, value, keyMask: options.keyMask as Tensor2D | undefined };
  const chosen = { causal, queryActivation };
  return withPositionBias(
    'aftFull',
    positionBias,
    { target, source },
    {
      dense: (table) => aftFullOperator.run({ ...given, positionBias: table }, chosen).output,
      factored: (u, v) => aftFullFactoredOperator.run({ ...given, u, v }, chosen).output,
    },
  );
}
