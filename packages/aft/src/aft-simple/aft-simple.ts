import { checkOptions, defineOperator } from '@mixfold/tensor-ops';
import type { Tensor, Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { type QueryActivation, queryActivations } from '../query-activation';
import { composedAftSimple, composedAftSimpleBackward } from './composed';
import { composedAftSimpleCausal, composedAftSimpleCausalBackward } from './composed-causal';
import { wasmAftSimple, wasmAftSimpleBackward, wasmAftSimpleCausal, wasmAftSimpleCausalBackward } from './wasm';
import { webgpuAftSimple, webgpuAftSimpleBackward, webgpuAftSimpleCausal, webgpuAftSimpleCausalBackward } from './webgpu';

/** Options that every form of AFT takes. */
export interface AftOptions {
  /** Whether a target sees only the sources up to its own time. Default false. */
  readonly causal?: boolean | undefined;
  /** `[batch, source]`, bool, int32 or float32; nonzero = attend. A masked source may hold anything, NaN included. */
  readonly keyMask?: Tensor | undefined;
  /** What gates the context. Default `'sigmoid'`; null for no gate. */
  readonly queryActivation?: QueryActivation | undefined;
}

const attributes: { queryActivation: QueryActivation } = { queryActivation: 'sigmoid' };
const attributeRules = { queryActivation: queryActivations };

// The contracts below are written out, not spread: a bundler keeps an unused definition whose arguments hold a spread.

/** The gradient of `aftSimpleOperator`. */
export const aftSimpleBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftSimpleBackward',
  publicName: 'aftSimple',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    'keyMask?': 'batch time',
    context: 'batch dim',
    logNormalizer: 'batch dim',
    dOutput: 'batch time dim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { dQuery: 'batch time dim', dKey: 'batch time dim', dValue: 'batch time dim' },
  compose: composedAftSimpleBackward,
  kernels: { wasm: wasmAftSimpleBackward, webgpu: webgpuAftSimpleBackward },
});

/** AFT-simple in which every target sees every source. */
export const aftSimpleOperator = /* @__PURE__ */ defineOperator({
  name: 'AftSimple',
  publicName: 'aftSimple',
  inputs: { query: 'batch time dim', key: 'batch time dim', value: 'batch time dim', 'keyMask?': 'batch time' },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim' },
  saved: { context: 'batch dim', logNormalizer: 'batch dim' },
  compose: composedAftSimple,
  kernels: { wasm: wasmAftSimple, webgpu: webgpuAftSimple },
  backward: aftSimpleBackwardOperator,
});

/** The gradient of `aftSimpleCausalOperator`. */
export const aftSimpleCausalBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftSimpleCausalBackward',
  publicName: 'aftSimple',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    'keyMask?': 'batch time',
    'initialState?': 'batch 3 dim',
    finalState: 'batch 3 dim',
    context: 'batch time dim',
    logNormalizer: 'batch time dim',
    dOutput: 'batch time dim',
    dFinalState: 'batch 3 dim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { dQuery: 'batch time dim', dKey: 'batch time dim', dValue: 'batch time dim', 'dInitialState?': 'batch 3 dim' },
  compose: composedAftSimpleCausalBackward,
  kernels: { wasm: wasmAftSimpleCausalBackward, webgpu: webgpuAftSimpleCausalBackward },
});

/**
 * AFT-simple in which a target sees the sources up to its own time, and those that a state has gathered before.
 * A state holds, per channel, the largest key, then numerator and denominator relative to it.
 */
export const aftSimpleCausalOperator = /* @__PURE__ */ defineOperator({
  name: 'AftSimpleCausal',
  publicName: 'aftSimple',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    'keyMask?': 'batch time',
    'initialState?': 'batch 3 dim',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim', finalState: 'batch 3 dim' },
  saved: { context: 'batch time dim', logNormalizer: 'batch time dim' },
  compose: composedAftSimpleCausal,
  kernels: { wasm: wasmAftSimpleCausal, webgpu: webgpuAftSimpleCausal },
  backward: aftSimpleCausalBackwardOperator,
});

/**
 * Attention Free Transformer, simple form: every target mixes all sources, weighted per channel by their keys alone, then gated by its query.
 *
 * $$ Y_t = \sigma(Q_t) \odot \frac{\sum_{t'} e^{K_{t'}} \odot V_{t'}}{\sum_{t'} e^{K_{t'}}} $$
 *
 * @param query - `[batch, time, dim]`, float32.
 * @param key - `[batch, time, dim]`, in nats.
 * @param value - `[batch, time, dim]`.
 * @param options - `causal` (default false), `keyMask`, `queryActivation` (default `'sigmoid'`).
 * @returns `[batch, time, dim]`. New tensor; the caller disposes it. A target without any source gives 0.
 * @throws ShapeError if an axis differs between arguments; DTypeError; OptionError for an unknown option or value.
 * @remarks O(time dim) time and memory, for any finite keys. Differentiable in query, key and value.
 * @see Zhai et al. 2021, eq. 5, https://arxiv.org/abs/2105.14103
 * @example
 * const output = aftSimple(query, key, value, { causal: true });
 */
export function aftSimple(query: Tensor3D, key: Tensor3D, value: Tensor3D, options: AftOptions = {}): Tensor3D {
  checkOptions('aftSimple', options, { causal: 'boolean', keyMask: 'tensor', queryActivation: queryActivations });
  const { causal = false, queryActivation = 'sigmoid' } = options;
  const given = { query, key, value, keyMask: options.keyMask as Tensor2D | undefined };
  if (!causal) return aftSimpleOperator.run(given, { queryActivation }).output;
  const { output, finalState } = aftSimpleCausalOperator.run(given, { queryActivation });
  finalState.dispose();
  return output;
}
