import {
  bindShapes,
  checkOptions,
  checkTensorData,
  exportTensor,
  OptionError,
  ShapeError,
  type TensorData,
} from '@mixfold/tensor-ops';
import { type Tensor, type Tensor2D, type Tensor4D, tensor, zeros } from '@tensorflow/tfjs-core';

/** What streaming `mssa` remembers between calls: the projections of all tokens it has seen, which are query, key and value in one. */
export interface MssaState {
  readonly operator: 'mssa';
  /** How many tokens it has seen. */
  readonly position: number;
  /** `projected` `[batch, heads, position, headDim]`; `mask` `[batch, position]` once a call has had a `keyMask`. `disposeState` frees them. */
  readonly tensors: { readonly projected: Tensor4D; readonly mask?: Tensor2D | undefined };
}

/** A state as plain data, safe to store as JSON. */
export interface MssaStateData {
  readonly operator: string;
  readonly position: number;
  readonly tensors: { readonly projected: TensorData; readonly mask?: TensorData | undefined };
}

const isState = (value: unknown): value is MssaState => {
  const state = value as MssaState | undefined;
  return typeof state === 'object' && state !== null && typeof state.operator === 'string' && typeof state.tensors === 'object';
};

/**
 * The state of causal `mssa` before its first token.
 *
 * @returns A state without tokens; it grows by one projection of `heads * headDim` numbers with every token, half of what keys and values would take. Dispose
 *   its tensors with `disposeState`.
 * @throws OptionError if a size is not an integer above 0.
 * @example
 * let state = mssaState(1, 8, 32);
 */
export function mssaState(batch: number, heads: number, headDim: number): MssaState {
  const rule = 'positiveInteger';
  const sizes = { batch, heads, headDim };
  checkOptions('mssaState', sizes, { batch: rule, heads: rule, headDim: rule });
  for (const [name, size] of Object.entries(sizes)) {
    if (size === undefined) throw new OptionError(`mssaState: ${name} is missing; it takes batch, heads, headDim`);
  }
  return { operator: 'mssa', position: 0, tensors: { projected: zeros<Tensor4D['rankType']>([batch, heads, 0, headDim]) } };
}

/** Refuses what is not a state, and one made for other sizes than those of the arguments. */
export function checkState(
  functionName: string,
  state: MssaState,
  given: { readonly batch: number; readonly heads: number; readonly headDim: number },
): void {
  const cure = 'it takes one from mssaState or an earlier call';
  if (!isState(state)) throw new OptionError(`${functionName}: state is not the state of an operator; ${cure}`);
  if (state.operator !== 'mssa') throw new OptionError(`${functionName}: state belongs to ${state.operator}; ${cure}`);
  const [batch, heads, , headDim] = state.tensors.projected.shape;
  const list = (of: typeof given) => `batch ${of.batch}, heads ${of.heads}, headDim ${of.headDim}`;
  const own = list({ batch, heads, headDim });
  if (own === list(given)) return;
  throw new ShapeError(`${functionName}: state was made for ${own}, but tokens and subspaces have ${list(given)}`);
}

/** Frees the tensors of a state. */
export function disposeState(state: MssaState): void {
  for (const part of Object.values(state.tensors)) part?.dispose();
}

/**
 * Reads a state back as plain data.
 *
 * @throws OptionError if `state` is not the state of an operator of this package.
 */
export async function exportState(state: MssaState): Promise<MssaStateData> {
  if (!isState(state) || state.operator !== 'mssa')
    throw new OptionError('exportState: state is not the state of an operator of this package');
  const { projected, mask } = state.tensors;
  const tensors = { projected: await exportTensor(projected), ...(mask ? { mask: await exportTensor(mask) } : {}) };
  return { operator: state.operator, position: state.position, tensors };
}

/**
 * Makes a state from what `exportState` gave.
 *
 * @throws OptionError or ShapeError naming the field that does not fit; nothing is allocated then.
 */
export function importState(data: MssaStateData): MssaState {
  const wrong = (problem: string) => new OptionError(`importState: ${problem}; it takes what exportState gave`);
  if (typeof data !== 'object' || data === null) throw wrong('data is not an object');
  if (data.operator !== 'mssa') throw wrong(`unknown operator '${data.operator}'`);
  const { position } = data;
  if (!Number.isSafeInteger(position) || position < 0) throw wrong(`position must be an integer, 0 or above, got ${position}`);
  const projected = checkTensorData('projected', data.tensors?.projected, wrong);
  const mask = data.tensors.mask === undefined ? undefined : checkTensorData('mask', data.tensors.mask, wrong);
  bindShapes('importState', {
    projected: [projected, `batch heads ${position} headDim`],
    ...(mask ? { mask: [mask, `batch ${position}`] as const } : {}),
  });
  const make = <T extends Tensor>({ shape, data: values }: TensorData) => tensor([...values], [...shape], 'float32') as T;
  const tensors = { projected: make<Tensor4D>(projected), ...(mask ? { mask: make<Tensor2D>(mask) } : {}) };
  return { operator: 'mssa', position, tensors };
}
