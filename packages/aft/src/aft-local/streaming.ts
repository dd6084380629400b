import { bindShapes, checkOptions, OptionError } from '@mixfold/tensor-ops';
import { clone, expandDims, squeeze, type Tensor, type Tensor2D, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import type { AftStreamingOptions } from '../aft-simple/streaming';
import type { PositionBias } from '../position-bias';
import { queryActivations } from '../query-activation';
import { emptyMemory } from '../window-memory';
import { checkWindowedState, type WindowedState } from '../windowed-state';
import { runAftLocal } from './aft-local';

/** What causal AFT-local remembers between calls: sums of the sources that left the window, the last keys and values, and its position. */
export type AftLocalState = WindowedState<'aftLocal'>;

/** What a streaming call returns. The state given to it is left as it was and is not disposed. */
export interface AftLocalStreamed<Output extends Tensor> {
  readonly output: Output;
  readonly state: AftLocalState;
}

/** For what a state is made. */
export interface AftLocalStateSizes {
  readonly batch: number;
  readonly dim: number;
  /** As in `aftLocal`; every call that takes the state uses it. */
  readonly windowSize: number;
}

/**
 * The state of causal AFT-local before its first token.
 *
 * @returns O(batch windowSize dim) memory, whatever the number of tokens that follow. Dispose its tensors with `disposeState`.
 * @throws OptionError if `batch` or `dim` is not an integer above 0, or `windowSize` not one from 0 on.
 */
export function aftLocalState(sizes: AftLocalStateSizes): AftLocalState {
  const rules = { batch: 'positiveInteger', dim: 'positiveInteger', windowSize: 'nonNegativeInteger' } as const;
  checkOptions('aftLocalState', sizes, rules);
  for (const name of Object.keys(rules) as (keyof typeof rules)[]) {
    if (sizes?.[name] === undefined)
      throw new OptionError(`aftLocalState: option ${name} is missing; it takes {batch, dim, windowSize}`);
  }
  const { batch, dim, windowSize } = sizes;
  const memory = emptyMemory(batch, { keyWidth: dim, dim, past: Math.max(0, windowSize - 1) });
  return { operator: 'aftLocal', position: 0, sizes: { batch, dim, windowSize }, tensors: { memory } };
}

/**
 * Continues causal AFT-local by a stretch of tokens: any split of a sequence gives the numbers of the whole call.
 *
 * @param query - `[batch, time, dim]`, as are `key` and `value`.
 * @param positionBias - That of the whole sequence, in any form that `aftLocal` takes; the state's position says where in it the stretch begins.
 * @param state - From `aftLocalState` or an earlier call; its memory takes part in the gradient.
 * @param options - `keyMask` `[batch, time]`, `queryActivation`.
 * @returns The output `[batch, time, dim]` and the state after the last token.
 * @throws ShapeError, also for a state of another batch or dim and for a bias that ends before the stretch does; OptionError for a state of another
 *   operator.
 * @remarks O(time windowSize dim), independent of the position. Differentiable in query, key, value, every tensor of the bias, and the state.
 */
export function aftLocalPrefill(
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  positionBias: PositionBias,
  state: AftLocalState,
  options: AftStreamingOptions = {},
): AftLocalStreamed<Tensor3D> {
  return advance('aftLocalPrefill', query, key, value, positionBias, state, options);
}

/**
 * Continues causal AFT-local by one token.
 *
 * @param query - `[batch, dim]`, as are `key` and `value`.
 * @param positionBias - As in `aftLocalPrefill`.
 * @param state - From `aftLocalState` or an earlier call.
 * @param options - `keyMask` `[batch]`, `queryActivation`.
 * @returns The output `[batch, dim]` and the state after the token.
 * @throws As `aftLocalPrefill`.
 * @remarks O(windowSize dim), independent of the position.
 */
export function aftLocalStep(
  query: Tensor2D,
  key: Tensor2D,
  value: Tensor2D,
  positionBias: PositionBias,
  state: AftLocalState,
  options: AftStreamingOptions = {},
): AftLocalStreamed<Tensor2D> {
  const axes = 'batch dim';
  const mask = options.keyMask === undefined ? {} : { keyMask: [options.keyMask, 'batch'] as const };
  bindShapes('aftLocalStep', { query: [query, axes], key: [key, axes], value: [value, axes], ...mask });
  const { output, memory } = tidy(() => {
    const [q, k, v] = [query, key, value].map((token) => expandDims(token, 1)) as [Tensor3D, Tensor3D, Tensor3D];
    const stretched = options.keyMask === undefined ? options : { ...options, keyMask: expandDims(options.keyMask, 1) };
    const streamed = advance('aftLocalStep', q, k, v, positionBias, state, stretched);
    return { output: squeeze(streamed.output, [1]) as Tensor2D, memory: streamed.state.tensors.memory };
  });
  return { output, state: { ...state, position: state.position + 1, tensors: { memory } } };
}

function advance(
  functionName: string,
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  positionBias: PositionBias,
  state: AftLocalState,
  options: AftStreamingOptions,
): AftLocalStreamed<Tensor3D> {
  checkOptions(functionName, options, { keyMask: 'tensor', queryActivation: queryActivations });
  const { batch, dim, time } = bindShapes(functionName, { query: [query, 'batch time dim'] });
  checkWindowedState(functionName, state, 'aftLocal', { batch, dim });
  const { keyMask, queryActivation = 'sigmoid' } = options;
  const { position, sizes, tensors } = state;
  const given = { query, key, value, keyMask: keyMask as Tensor2D | undefined, state: tensors.memory };
  const chosen = { windowSize: sizes.windowSize!, causal: true, position, queryActivation };
  const { output, finalState } = runAftLocal(functionName, positionBias, given, chosen);
  if (time > 0) return { output, state: { ...state, position: position + time, tensors: { memory: finalState! } } };
  finalState!.dispose();
  return { output, state: { ...state, tensors: { memory: clone(tensors.memory) } } };
}
