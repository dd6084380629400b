import { bindShapes, checkOptions, ShapeError } from '@mixfold/tensor-ops';
import { clone, expandDims, squeeze, type Tensor, type Tensor2D, type Tensor3D, tidy } from '@tensorflow/tfjs-core';
import type { AftStreamingOptions } from '../aft-simple/streaming';
import { queryActivations } from '../query-activation';
import { emptyMemory } from '../window-memory';
import { checkWindowedState, type WindowedState } from '../windowed-state';
import { aftConv1dStreamingOperator } from './streaming-operator';

/** What a streaming call returns. The state given to it is left as it was and is not disposed. */
export interface AftConv1dStreamed<Output extends Tensor> {
  readonly output: Output;
  readonly state: WindowedState<'aftConv1d'>;
}

/**
 * The state of causal AFT-conv over time before its first token.
 *
 * @param sizes - `batch`, `dim`, `heads` (dividing `dim`) and the `window` of the kernel.
 * @returns O(batch window dim) memory, whatever the number of tokens that follow. Dispose its tensors with `disposeState`.
 * @throws OptionError if a size is not an integer above 0; ShapeError if heads do not divide dim.
 */
export function aftConv1dState(sizes: {
  readonly batch: number;
  readonly dim: number;
  readonly heads: number;
  readonly window: number;
}): WindowedState<'aftConv1d'> {
  const { batch, dim, heads, window } = checkedSizes(sizes);
  const memory = emptyMemory(batch, { keyWidth: heads, dim, past: window - 1 });
  return { operator: 'aftConv1d', position: 0, sizes: { batch, dim, heads, window }, tensors: { memory } };
}

/**
 * Continues causal AFT-conv over time by a stretch of tokens: any split of a sequence gives the numbers of the whole call.
 *
 * @param query - `[batch, time, dim]`, as is `value`.
 * @param key - `[batch, time, heads]`.
 * @param kernel - `[heads, window]`, the same in every call.
 * @param state - From `aftConv1dState` or an earlier call; its memory takes part in the gradient.
 * @param options - `keyMask` `[batch, time]`, `queryActivation`.
 * @returns The output `[batch, time, dim]` and the state after the last token.
 * @throws ShapeError, also for a state of other sizes; OptionError for a state of another operator.
 * @remarks O(time window dim). Differentiable in query, key, value, kernel and the state's memory.
 */
export function aftConv1dPrefill(
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  kernel: Tensor2D,
  state: WindowedState<'aftConv1d'>,
  options: AftStreamingOptions = {},
): AftConv1dStreamed<Tensor3D> {
  return advance('aftConv1dPrefill', query, key, value, kernel, state, options);
}

/**
 * Continues causal AFT-conv over time by one token.
 *
 * @param query - `[batch, dim]`, as is `value`.
 * @param key - `[batch, heads]`.
 * @param kernel - `[heads, window]`.
 * @param state - From `aftConv1dState` or an earlier call.
 * @param options - `keyMask` `[batch]`, `queryActivation`.
 * @returns The output `[batch, dim]` and the state after the token.
 * @throws As `aftConv1dPrefill`.
 * @remarks O(window dim), independent of the position.
 */
export function aftConv1dStep(
  query: Tensor2D,
  key: Tensor2D,
  value: Tensor2D,
  kernel: Tensor2D,
  state: WindowedState<'aftConv1d'>,
  options: AftStreamingOptions = {},
): AftConv1dStreamed<Tensor2D> {
  checkOptions('aftConv1dStep', options, { keyMask: 'tensor', queryActivation: queryActivations });
  const mask = options.keyMask === undefined ? {} : { keyMask: [options.keyMask, 'batch'] as const };
  const arguments_ = { query: [query, 'batch dim'], key: [key, 'batch heads'], value: [value, 'batch dim'] } as const;
  bindShapes('aftConv1dStep', { ...arguments_, kernel: [kernel, 'heads window'], ...mask });
  const { output, memory } = tidy(() => {
    const [q, k, v] = [query, key, value].map((token) => expandDims(token, 1)) as [Tensor3D, Tensor3D, Tensor3D];
    const stretched = options.keyMask === undefined ? options : { ...options, keyMask: expandDims(options.keyMask, 1) };
    const streamed = advance('aftConv1dStep', q, k, v, kernel, state, stretched);
    return { output: squeeze(streamed.output, [1]) as Tensor2D, memory: streamed.state.tensors.memory };
  });
  return { output, state: { ...state, position: state.position + 1, tensors: { memory } } };
}

function checkedSizes<Sizes extends Record<string, number>>(sizes: Sizes): Sizes {
  const rule = 'positiveInteger' as const;
  checkOptions('aftConv1dState', sizes, { batch: rule, dim: rule, heads: rule, window: rule });
  for (const name of ['batch', 'dim', 'heads', 'window']) {
    if (sizes[name] === undefined) checkOptions('aftConv1dState', { [name]: null }, { [name]: rule });
  }
  if (sizes.dim! % sizes.heads! !== 0) {
    throw new ShapeError(`aftConv1dState: heads must divide dim, got ${sizes.heads} heads and dim ${sizes.dim}`);
  }
  return sizes;
}

function advance(
  functionName: string,
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  kernel: Tensor2D,
  state: WindowedState<'aftConv1d'>,
  options: AftStreamingOptions,
): AftConv1dStreamed<Tensor3D> {
  checkOptions(functionName, options, { keyMask: 'tensor', queryActivation: queryActivations });
  const bound = { query: [query, 'batch time dim'], key: [key, 'batch time heads'], kernel: [kernel, 'heads window'] } as const;
  const { batch, dim, heads, window } = bindShapes(functionName, bound);
  checkWindowedState(functionName, state, 'aftConv1d', { batch, dim, heads, window });
  const { keyMask, queryActivation = 'sigmoid' } = options;
  const { memory } = state.tensors;
  const given = { query, key, value, kernel, keyMask: keyMask as Tensor2D | undefined, memory };
  const { output, finalMemory } = aftConv1dStreamingOperator.run(given, { queryActivation });
  const time = query.shape[1];
  if (time > 0) return { output, state: { ...state, position: state.position + time, tensors: { memory: finalMemory } } };
  finalMemory.dispose();
  return { output, state: { ...state, tensors: { memory: clone(memory) } } };
}
