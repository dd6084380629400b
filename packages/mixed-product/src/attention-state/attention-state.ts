import { bindShapes, checkOptions, OptionError } from '@mixfold/tensor-ops';
import { expandDims, squeeze, type Tensor, type Tensor3D, type Tensor4D, tidy, zeros } from '@tensorflow/tfjs-core';
import { defaultScale, scaledDotProductAttentionOperator } from '../scaled-dot-product-attention/scaled-dot-product-attention';
import { appendTime } from './append-time';
import { type AttentionState, checkState } from './state';
import { stretchPairs } from './stretch-pairs';

/** For what a state is made. */
export interface AttentionStateSizes {
  readonly batch: number;
  /** Heads of keys and values; those of the queries are a multiple. */
  readonly heads: number;
  readonly headDim: number;
  /** Default: `headDim`. */
  readonly valueDim?: number | undefined;
}

/** Options of a streaming call, which is always causal. */
export interface AttentionStreamingOptions {
  /**
   * As in `scaledDotProductAttention`, over all sources up to the last of the call: for its targets alone, `[..., time, position + time]`, or for the whole
   * sequence, of which the rows and columns that belong to the call are taken. One row may serve all targets.
   */
  readonly mask?: Tensor | undefined;
  /** As `mask`; differentiable. */
  readonly bias?: Tensor | undefined;
  readonly scale?: number | undefined;
}

/** What a streaming call returns. The state given to it is left as it was and is not disposed. */
export interface AttentionStreamed<Output extends Tensor> {
  readonly output: Output;
  readonly state: AttentionState;
}

/**
 * The state of causal attention before its first token.
 *
 * @returns A state without sources; it grows by a key and a value with every token. Dispose its tensors with `disposeState`.
 * @throws OptionError if a size is missing or is not an integer above 0.
 * @example
 * let state = attentionState({ batch: 1, heads: 8, headDim: 32 });
 */
export function attentionState(sizes: AttentionStateSizes): AttentionState {
  const rules = {
    batch: 'positiveInteger',
    heads: 'positiveInteger',
    headDim: 'positiveInteger',
    valueDim: 'positiveInteger',
  } as const;
  checkOptions('attentionState', sizes, rules);
  for (const name of ['batch', 'heads', 'headDim'] as const) {
    if (sizes?.[name] === undefined)
      throw new OptionError(`attentionState: option ${name} is missing; it takes {batch, heads, headDim, valueDim}`);
  }
  const { batch, heads, headDim, valueDim = headDim } = sizes;
  const key = zeros<Tensor4D['rankType']>([batch, heads, 0, headDim]);
  const value = zeros<Tensor4D['rankType']>([batch, heads, 0, valueDim]);
  return { operator: 'scaledDotProductAttention', position: 0, tensors: { key, value } };
}

/**
 * Continues causal attention by a stretch of tokens: any split of a sequence gives the numbers of the whole call.
 *
 * @param query - `[batch, heads, time, headDim]`.
 * @param key - `[batch, keyHeads, time, headDim]`, of the stretch.
 * @param value - `[batch, keyHeads, time, valueDim]`.
 * @param state - From `attentionState` or an earlier call; its keys and values take part in the gradient.
 * @param options - `mask`, `bias`, `scale`.
 * @returns The output `[batch, heads, time, valueDim]` and the state after the last token.
 * @throws ShapeError, also for a state of other sizes and for a mask or bias that ends before the stretch does; OptionError for something else than a state.
 * @remarks O(time (position + time) headDim) time; the state is copied once. Differentiable in query, key, value, bias and the state.
 */
export function attentionPrefill(
  query: Tensor4D,
  key: Tensor4D,
  value: Tensor4D,
  state: AttentionState,
  options: AttentionStreamingOptions = {},
): AttentionStreamed<Tensor4D> {
  return advance('attentionPrefill', query, key, value, state, options);
}

/**
 * Continues causal attention by one token.
 *
 * @param query - `[batch, heads, headDim]`.
 * @param key - `[batch, keyHeads, headDim]`.
 * @param value - `[batch, keyHeads, valueDim]`.
 * @param state - From `attentionState` or an earlier call.
 * @param options - As in `attentionPrefill`, with a time of 1.
 * @returns The output `[batch, heads, valueDim]` and the state after the token.
 * @throws As `attentionPrefill`.
 * @remarks O(position headDim).
 */
export function attentionStep(
  query: Tensor3D,
  key: Tensor3D,
  value: Tensor3D,
  state: AttentionState,
  options: AttentionStreamingOptions = {},
): AttentionStreamed<Tensor3D> {
  bindShapes('attentionStep', {
    query: [query, 'batch heads headDim'],
    key: [key, 'batch keyHeads headDim'],
    value: [value, 'batch keyHeads valueDim'],
  });
  const { output, tensors, position } = tidy(() => {
    const [q, k, v] = [query, key, value].map((token) => expandDims(token, 2)) as [Tensor4D, Tensor4D, Tensor4D];
    const streamed = advance('attentionStep', q, k, v, state, options);
    return { output: squeeze(streamed.output, [2]) as Tensor3D, ...streamed.state } as never;
  }) as AttentionState & { output: Tensor3D };
  return { output, state: { operator: state.operator, position, tensors } };
}

function advance(
  functionName: string,
  query: Tensor4D,
  key: Tensor4D,
  value: Tensor4D,
  state: AttentionState,
  options: AttentionStreamingOptions,
): AttentionStreamed<Tensor4D> {
  checkOptions(functionName, options, { mask: 'tensor', bias: 'tensor', scale: 'finite' });
  const { time, ...sizes } = bindShapes(functionName, {
    query: [query, 'batch heads time headDim'],
    key: [key, 'batch keyHeads time headDim'],
    value: [value, 'batch keyHeads time valueDim'],
  });
  checkState(functionName, state, sizes);
  const { position } = state;
  const made: Tensor[] = [];
  const stretch = (name: 'mask' | 'bias') => {
    const table = options[name];
    if (table === undefined) return undefined;
    const part = stretchPairs(functionName, name, table, position, time);
    if (part !== table) made.push(part);
    return part;
  };
  try {
    const pairs = { mask: stretch('mask'), bias: stretch('bias') };
    const keys = appendTime(state.tensors.key, key);
    made.push(keys);
    const values = appendTime(state.tensors.value, value);
    made.push(values);
    const attributes = { causal: true, scale: options.scale ?? defaultScale(query) };
    const { output } = scaledDotProductAttentionOperator.run({ query, key: keys, value: values, ...pairs }, attributes);
    made.splice(made.indexOf(keys), 2);
    return { output, state: { operator: state.operator, position: position + time, tensors: { key: keys, value: values } } };
  } finally {
    for (const tensor of made) tensor.dispose();
  }
}
