import { bindShapes, checkTensorData, exportTensor, OptionError, ShapeError, type TensorData } from '@mixfold/tensor-ops';
import { type Tensor4D, tensor4d } from '@tensorflow/tfjs-core';

/** What streaming attention remembers between calls: the keys and values of all sources it has seen. */
export interface AttentionState {
  readonly operator: 'scaledDotProductAttention';
  /** How many tokens it has seen. */
  readonly position: number;
  /** `key` `[batch, heads, position, headDim]` and `value` `[batch, heads, position, valueDim]`; `disposeState` frees them. */
  readonly tensors: { readonly key: Tensor4D; readonly value: Tensor4D };
}

/** A state as plain data, safe to store as JSON. */
export interface AttentionStateData {
  readonly operator: string;
  readonly position: number;
  readonly tensors: Readonly<Record<string, TensorData>>;
}

const OPERATOR = 'scaledDotProductAttention';

/** Refuses what is not a state, and one made for other sizes than those of the arguments. */
export function checkState(
  functionName: string,
  state: AttentionState,
  sizes: { batch: number; keyHeads: number; headDim: number; valueDim: number },
): void {
  const cure = 'it takes one from attentionState or an earlier call';
  if (typeof state !== 'object' || state === null || typeof state.operator !== 'string' || typeof state.tensors !== 'object') {
    throw new OptionError(`${functionName}: state is not the state of an operator; ${cure}`);
  }
  if (state.operator !== OPERATOR) throw new OptionError(`${functionName}: state belongs to ${state.operator}; ${cure}`);
  const [batch, heads, , headDim] = state.tensors.key.shape;
  const own = { batch, heads, headDim, valueDim: state.tensors.value.shape[3] };
  const given = { batch: sizes.batch, heads: sizes.keyHeads, headDim: sizes.headDim, valueDim: sizes.valueDim };
  const list = (of: typeof own) =>
    Object.entries(of)
      .map(([name, size]) => `${name} ${size}`)
      .join(', ');
  if (list(own) === list(given)) return;
  throw new ShapeError(`${functionName}: state was made for ${list(own)}, but the keys and values have ${list(given)}`);
}

/** Frees the tensors of a state. */
export function disposeState(state: AttentionState): void {
  state.tensors.key.dispose();
  state.tensors.value.dispose();
}

/**
 * Reads a state back as plain data.
 *
 * @throws OptionError if `state` is not the state of an operator of this package.
 */
export async function exportState(state: AttentionState): Promise<AttentionStateData> {
  if (state?.operator !== OPERATOR || typeof state.tensors !== 'object') {
    throw new OptionError('exportState: state is not the state of an operator of this package');
  }
  const { key, value } = state.tensors;
  return {
    operator: state.operator,
    position: state.position,
    tensors: { key: await exportTensor(key), value: await exportTensor(value) },
  };
}

/**
 * Makes a state from what `exportState` gave.
 *
 * @throws OptionError or ShapeError naming the field that does not fit; nothing is allocated then.
 */
export function importState(data: AttentionStateData): AttentionState {
  const wrong = (problem: string) => new OptionError(`importState: ${problem}; it takes what exportState gave`);
  if (typeof data !== 'object' || data === null) throw wrong('data is not an object');
  if (data.operator !== OPERATOR) throw wrong(`unknown operator '${data.operator}'`);
  if (!Number.isSafeInteger(data.position) || data.position < 0)
    throw wrong(`position must be an integer, 0 or above, got ${data.position}`);
  const parts = (['key', 'value'] as const).map((name) => checkTensorData(name, data.tensors?.[name], wrong)) as [
    TensorData,
    TensorData,
  ];
  const axes = `batch heads ${data.position}`;
  bindShapes('importState', { key: [parts[0], `${axes} headDim`], value: [parts[1], `${axes} valueDim`] });
  const [key, value] = parts.map((part) =>
    tensor4d([...part.data], [...part.shape] as [number, number, number, number], 'float32'),
  ) as [Tensor4D, Tensor4D];
  return { operator: OPERATOR, position: data.position, tensors: { key, value } };
}
