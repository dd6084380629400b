import { bindShapes, checkOptions, defineOperator, OptionError } from '@mixfold/tensor-ops';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import type { AftOptions } from '../aft-simple/aft-simple';
import { type PositionBias, withPositionBias } from '../position-bias';
import { queryActivations } from '../query-activation';
import { composedAftLocal } from './composed';
import { composedAftLocalBackward } from './composed-backward';
import type { LocalAttributes } from './geometry';
import { wasmAftLocal, wasmAftLocalBackward } from './wasm';
import { webgpuAftLocal, webgpuAftLocalBackward } from './webgpu';

/** Options of AFT-local. */
export interface AftLocalOptions extends AftOptions {
  /** The bias counts where target and source are less than this apart; 0 for nowhere, which is AFT-simple. */
  readonly windowSize: number;
}

const attributes: LocalAttributes = { causal: false, windowSize: 0, position: 0, queryActivation: 'sigmoid' };
const attributeRules = {
  windowSize: 'nonNegativeInteger',
  position: 'nonNegativeInteger',
  queryActivation: queryActivations,
} as const;

// One contract per kind of bias, written out: a bundler keeps an unused definition whose arguments hold a spread.
// A state is a memory as `memoryLayout` has it, of the sources before the call; `position` is the row of the first target in the bias.

/** The gradient of `aftLocalBandedOperator`. */
export const aftLocalBandedBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftLocalBandedBackward',
  publicName: 'aftLocal',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    'band?': 'rows offsets',
    'keyMask?': 'batch time',
    'state?': 'batch terms',
    'finalState?': 'batch terms',
    context: 'batch time dim',
    logNormalizer: 'batch time dim',
    dOutput: 'batch time dim',
    'dFinalState?': 'batch terms',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: {
    dQuery: 'batch time dim',
    dKey: 'batch time dim',
    dValue: 'batch time dim',
    'dBand?': 'rows offsets',
    'dState?': 'batch terms',
  },
  compose: composedAftLocalBackward,
  kernels: { wasm: wasmAftLocalBackward, webgpu: webgpuAftLocalBackward },
});

/** AFT-local with the bias of the window alone, `[rows, 2 windowSize - 1]`; none where windowSize is 0. */
export const aftLocalBandedOperator = /* @__PURE__ */ defineOperator({
  name: 'AftLocalBanded',
  publicName: 'aftLocal',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    'band?': 'rows offsets',
    'keyMask?': 'batch time',
    'state?': 'batch terms',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim', 'finalState?': 'batch terms' },
  saved: { context: 'batch time dim', logNormalizer: 'batch time dim' },
  compose: composedAftLocal,
  kernels: { wasm: wasmAftLocal, webgpu: webgpuAftLocal },
  backward: aftLocalBandedBackwardOperator,
});

/** The gradient of `aftLocalDenseOperator`. */
export const aftLocalDenseBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftLocalDenseBackward',
  publicName: 'aftLocal',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    positionBias: 'rows columns',
    'keyMask?': 'batch time',
    'state?': 'batch terms',
    'finalState?': 'batch terms',
    context: 'batch time dim',
    logNormalizer: 'batch time dim',
    dOutput: 'batch time dim',
    'dFinalState?': 'batch terms',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: {
    dQuery: 'batch time dim',
    dKey: 'batch time dim',
    dValue: 'batch time dim',
    dPositionBias: 'rows columns',
    'dState?': 'batch terms',
  },
  compose: composedAftLocalBackward,
  kernels: { wasm: wasmAftLocalBackward, webgpu: webgpuAftLocalBackward },
});

/** AFT-local with a table of biases, which is read in the window alone. */
export const aftLocalDenseOperator = /* @__PURE__ */ defineOperator({
  name: 'AftLocalDense',
  publicName: 'aftLocal',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    positionBias: 'rows columns',
    'keyMask?': 'batch time',
    'state?': 'batch terms',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim', 'finalState?': 'batch terms' },
  saved: { context: 'batch time dim', logNormalizer: 'batch time dim' },
  compose: composedAftLocal,
  kernels: { wasm: wasmAftLocal, webgpu: webgpuAftLocal },
  backward: aftLocalDenseBackwardOperator,
});

/** The gradient of `aftLocalFactoredOperator`. */
export const aftLocalFactoredBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'AftLocalFactoredBackward',
  publicName: 'aftLocal',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    u: 'rows rank',
    v: 'columns rank',
    'keyMask?': 'batch time',
    'state?': 'batch terms',
    'finalState?': 'batch terms',
    context: 'batch time dim',
    logNormalizer: 'batch time dim',
    dOutput: 'batch time dim',
    'dFinalState?': 'batch terms',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: {
    dQuery: 'batch time dim',
    dKey: 'batch time dim',
    dValue: 'batch time dim',
    dU: 'rows rank',
    dV: 'columns rank',
    'dState?': 'batch terms',
  },
  compose: composedAftLocalBackward,
  kernels: { wasm: wasmAftLocalBackward, webgpu: webgpuAftLocalBackward },
});

/** AFT-local with a bias that is the product of two factors, made for a tile of the window at a time. */
export const aftLocalFactoredOperator = /* @__PURE__ */ defineOperator({
  name: 'AftLocalFactored',
  publicName: 'aftLocal',
  inputs: {
    query: 'batch time dim',
    key: 'batch time dim',
    value: 'batch time dim',
    u: 'rows rank',
    v: 'columns rank',
    'keyMask?': 'batch time',
    'state?': 'batch terms',
  },
  dtypes: { keyMask: 'mask' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim', 'finalState?': 'batch terms' },
  saved: { context: 'batch time dim', logNormalizer: 'batch time dim' },
  compose: composedAftLocal,
  kernels: { wasm: wasmAftLocal, webgpu: webgpuAftLocal },
  backward: aftLocalFactoredBackwardOperator,
});

/** What every public form of AFT-local has in common: a bias of any kind, no state or one. */
export function runAftLocal(
  functionName: string,
  positionBias: PositionBias,
  given: { query: Tensor3D; key: Tensor3D; value: Tensor3D; keyMask?: Tensor2D | undefined; state?: Tensor2D | undefined },
  chosen: LocalAttributes,
): { readonly output: Tensor3D; readonly finalState?: Tensor2D | undefined } {
  const axes = 'batch time dim';
  const { time } = bindShapes(functionName, { query: [given.query, axes], key: [given.key, axes], value: [given.value, axes] });
  const { windowSize, position } = chosen;
  const length = position + time;
  return withPositionBias(
    functionName,
    positionBias,
    { target: length, source: length, windowSize, whole: true },
    {
      dense: (table) => aftLocalDenseOperator.run({ ...given, positionBias: table }, chosen),
      factored: (u, v) => aftLocalFactoredOperator.run({ ...given, u, v }, chosen),
      banded: (band) => aftLocalBandedOperator.run({ ...given, band: windowSize === 0 ? undefined : band }, chosen),
    },
  );
}

/**
 * Attention Free Transformer, local form: every target mixes all sources, weighted per channel by their keys, and by a bias per pair where the two are
 * less than `windowSize` apart; then gated by its query. The bias is 0 elsewhere, not minus infinity: every source stays connected.
 *
 * $$ Y_t = \sigma(Q_t) \odot \frac{\sum_{t'} e^{K_{t'} + w_{t,t'}} \odot V_{t'}}{\sum_{t'} e^{K_{t'} + w_{t,t'}}}, \qquad w_{t,t'} = 0 \text{ where } |t - t'| \ge s $$
 *
 * @param query - `[batch, time, dim]`, float32.
 * @param key - `[batch, time, dim]`, in nats.
 * @param value - `[batch, time, dim]`.
 * @param positionBias - In nats: a table `[target, source]`, read in the window alone; its factors `{u, v}` of shape `[time, rank]`, whose product is
 *   never made; or `{band}` of shape `[time, 2 windowSize - 1]`, column `r` for source `t - (windowSize - 1) + r`. One for a longer sequence will do;
 *   its gradient is 0 where it is not read.
 * @param options - `windowSize`, from 0 (AFT-simple) to any size; `causal` (default false), `keyMask`, `queryActivation` (default `'sigmoid'`).
 * @returns `[batch, time, dim]`. New tensor; the caller disposes it. A target without any source gives 0.
 * @throws ShapeError if an axis differs between arguments or the bias is smaller than the sequence; DTypeError; OptionError for an unknown option or
 *   value.
 * @remarks O(time windowSize dim) time, O(time dim) memory, for any finite keys and biases. Differentiable in query, key, value and every tensor of
 *   the bias.
 * @see Zhai et al. 2021, eq. 4, https://arxiv.org/abs/2105.14103
 * @example
 * const output = aftLocal(query, key, value, { u, v }, { windowSize: 32, causal: true });
 */
export function aftLocal(
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  positionBias: PositionBias,
  options: AftLocalOptions,
): Tensor3D {
  checkOptions('aftLocal', options, {
    windowSize: 'nonNegativeInteger',
    causal: 'boolean',
    keyMask: 'tensor',
    queryActivation: queryActivations,
  });
  if (options?.windowSize === undefined)
    throw new OptionError('aftLocal: option windowSize is missing; it must be an integer, 0 or above');
  const { windowSize, causal = false, keyMask, queryActivation = 'sigmoid' } = options;
  const given = { query, key, value, keyMask: keyMask as Tensor2D | undefined };
  return runAftLocal('aftLocal', positionBias, given, { windowSize, causal, position: 0, queryActivation }).output;
}
