import { bindShapes, checkOptions } from '@mixfold/tensor-ops';
import {
  clone,
  concat,
  expandDims,
  fill,
  squeeze,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  tidy,
  zeros,
} from '@tensorflow/tfjs-core';
import { NONE } from '../masked-sources';
import { queryActivations } from '../query-activation';
import { type AftState, checkState } from '../state';
import { type AftOptions, aftSimpleCausalOperator } from './aft-simple';

/** Options of a streaming call, which is always causal. */
export type AftStreamingOptions = Omit<AftOptions, 'causal'>;

/** What a streaming call returns. The state given to it is left as it was and is not disposed. */
export interface AftStreamed<Output extends Tensor> {
  readonly output: Output;
  readonly state: AftState<'aftSimple'>;
}

/**
 * The state of causal AFT-simple before its first token.
 *
 * @returns O(batch dim) memory, whatever the number of tokens that follow. Dispose its tensors with `disposeState`.
 * @throws OptionError if `batch` or `dim` is not an integer above 0.
 */
export function aftSimpleState(batch: number, dim: number): AftState<'aftSimple'> {
  checkOptions('aftSimpleState', { batch, dim }, { batch: 'positiveInteger', dim: 'positiveInteger' });
  const sums = tidy(() => concat([fill([batch, 1, dim], NONE), zeros([batch, 2, dim])], 1)) as Tensor3D;
  return { operator: 'aftSimple', position: 0, tensors: { sums } };
}

/**
 * Continues causal AFT-simple by a stretch of tokens: any split of a sequence gives the numbers of the whole call.
 *
 * @param query - `[batch, time, dim]`, as are `key` and `value`.
 * @param state - From `aftSimpleState` or an earlier call; its tensors take part in the gradient.
 * @param options - `keyMask` `[batch, time]`, `queryActivation`.
 * @returns The output `[batch, time, dim]` and the state after the last token.
 * @throws ShapeError, also for a state of another batch or dim; OptionError for a state of another operator.
 * @remarks O(time dim). Differentiable in query, key, value and the state's sums.
 */
export function aftSimplePrefill(
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  state: AftState<'aftSimple'>,
  options: AftStreamingOptions = {},
): AftStreamed<Tensor3D> {
  return advance('aftSimplePrefill', query, key, value, state, options);
}

/**
 * Continues causal AFT-simple by one token.
 *
 * @param query - `[batch, dim]`, as are `key` and `value`.
 * @param state - From `aftSimpleState` or an earlier call.
 * @param options - `keyMask` `[batch]`, `queryActivation`.
 * @returns The output `[batch, dim]` and the state after the token.
 * @throws As `aftSimplePrefill`.
 * @remarks O(dim), independent of the position.
 */
export function aftSimpleStep(
  query: Tensor2D,
  key: Tensor2D,
  value: Tensor2D,
  state: AftState<'aftSimple'>,
  options: AftStreamingOptions = {},
): AftStreamed<Tensor2D> {
  const axes = 'batch dim';
  const mask = options.keyMask === undefined ? {} : { keyMask: [options.keyMask, 'batch'] as const };
  bindShapes('aftSimpleStep', { query: [query, axes], key: [key, axes], value: [value, axes], ...mask });
  const { output, sums } = tidy(() => {
    const [q, k, v] = [query, key, value].map((token) => expandDims(token, 1)) as [Tensor3D, Tensor3D, Tensor3D];
    const stretched = options.keyMask === undefined ? options : { ...options, keyMask: expandDims(options.keyMask, 1) };
    const streamed = advance('aftSimpleStep', q, k, v, state, stretched);
    return { output: squeeze(streamed.output, [1]) as Tensor2D, sums: streamed.state.tensors.sums as Tensor };
  });
  return { output, state: { operator: 'aftSimple', position: state.position + 1, tensors: { sums } } };
}

function advance(
  functionName: string,
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  state: AftState<'aftSimple'>,
  options: AftStreamingOptions,
): AftStreamed<Tensor3D> {
  checkOptions(functionName, options, { keyMask: 'tensor', queryActivation: queryActivations });
  checkState(functionName, state, 'aftSimple');
  const { keyMask, queryActivation = 'sigmoid' } = options;
  const initialState = state.tensors.sums as Tensor3D;
  const given = { query, key, value, keyMask: keyMask as Tensor2D | undefined, initialState };
  const { output, finalState } = aftSimpleCausalOperator.run(given, { queryActivation });
  const time = query.shape[1];
  if (time > 0)
    return { output, state: { operator: 'aftSimple', position: state.position + time, tensors: { sums: finalState } } };
  finalState.dispose();
  return { output, state: { ...state, tensors: { sums: clone(initialState) } } };
}
