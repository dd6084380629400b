import { bindShapes, OptionError } from '@mixfold/tensor-ops';
import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import { memoryLayout } from './window-memory';

/** What the streaming form of an operator remembers between calls. */
export interface AftState<Name extends string = string> {
  /** The operator it belongs to. */
  readonly operator: Name;
  /** How many tokens it has seen. */
  readonly position: number;
  /** What it was made for, where its tensors do not say it. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** The tensors it consists of; `disposeState` frees them. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** A state as plain data, safe to store as JSON. */
export interface StateData {
  readonly operator: string;
  readonly position: number;
  readonly sizes?: Readonly<Record<string, number>>;
  readonly tensors: Readonly<Record<string, { readonly shape: readonly number[]; readonly data: readonly number[] }>>;
}

/** What the state of an operator consists of. */
interface StateContract {
  /** Its tensors, by axis string. */
  readonly tensors: Readonly<Record<string, string>>;
  /** The sizes it carries, with the least that each may be. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** The length of a row of its memory. */
  memoryLength?(sizes: Readonly<Record<string, number>>): number;
}

const contracts: Readonly<Record<string, StateContract>> = {
  aftSimple: { tensors: { sums: 'batch 3 dim' } },
  aftLocal: {
    tensors: { memory: 'batch terms' },
    sizes: { batch: 1, dim: 1, windowSize: 0 },
    memoryLength: ({ dim, windowSize }) => memoryLayout({ keyWidth: dim!, dim: dim!, past: Math.max(0, windowSize! - 1) }).length,
  },
  aftConv1d: {
    tensors: { memory: 'batch terms' },
    sizes: { batch: 1, dim: 1, heads: 1, window: 1 },
    memoryLength: ({ dim, heads, window }) => memoryLayout({ keyWidth: heads!, dim: dim!, past: window! - 1 }).length,
  },
};

const isState = (value: unknown): value is AftState => {
  const state = value as AftState | undefined;
  return typeof state === 'object' && state !== null && typeof state.operator === 'string' && typeof state.tensors === 'object';
};

/** Refuses what is not a state of `operator`. */
export function checkState(functionName: string, state: unknown, operator: string): void {
  const cure = `it takes one from ${operator}State or an earlier call`;
  if (!isState(state)) throw new OptionError(`${functionName}: state is not the state of an operator; ${cure}`);
  if (state.operator !== operator) throw new OptionError(`${functionName}: state belongs to ${state.operator}; ${cure}`);
}

/** Frees the tensors of a state. */
export function disposeState(state: AftState): void {
  for (const part of Object.values(state.tensors)) part.dispose();
}

/**
 * Reads a state back as plain data.
 *
 * @throws OptionError if `state` is not the state of an operator of this package.
 */
export async function exportState(state: AftState): Promise<StateData> {
  if (!isState(state) || !Object.hasOwn(contracts, state.operator)) {
    throw new OptionError('exportState: state is not the state of an operator of this package');
  }
  const parts = Object.entries(state.tensors).map(async ([name, part]) => {
    return [name, { shape: [...part.shape], data: Array.from(await part.data()) as number[] }] as const;
  });
  const sizes = state.sizes === undefined ? {} : { sizes: { ...state.sizes } };
  return { operator: state.operator, position: state.position, ...sizes, tensors: Object.fromEntries(await Promise.all(parts)) };
}

/**
 * Makes a state from what `exportState` gave.
 *
 * @throws OptionError naming the field that does not fit; nothing is allocated then.
 */
export function importState(data: StateData): AftState {
  const wrong = (problem: string) => new OptionError(`importState: ${problem}; it takes what exportState gave`);
  if (typeof data !== 'object' || data === null) throw wrong('data is not an object');
  const contract = Object.hasOwn(contracts, data.operator) ? contracts[data.operator]! : undefined;
  if (contract === undefined) throw wrong(`unknown operator '${data.operator}'`);
  if (!Number.isSafeInteger(data.position) || data.position < 0)
    throw wrong(`position must be an integer, 0 or above, got ${data.position}`);
  for (const [name, least] of Object.entries(contract.sizes ?? {})) {
    const size = data.sizes?.[name];
    if (!Number.isSafeInteger(size) || size! < least)
      throw wrong(`sizes.${name} must be an integer, ${least} or above, got ${size}`);
  }
  for (const [name, axes] of Object.entries(contract.tensors)) {
    const part = data.tensors?.[name];
    if (!Array.isArray(part?.shape) || !Array.isArray(part.data)) throw wrong(`tensors.${name} must be {shape, data}`);
    bindShapes('importState', { [name]: [part, axes] });
    const size = part.shape.reduce((product, length) => product * length, 1);
    if (contract.memoryLength) {
      const shape = [data.sizes!.batch!, contract.memoryLength(data.sizes!)];
      if (part.shape.join() !== shape.join())
        throw wrong(`tensors.${name} must have the shape [${shape.join(', ')}], got [${part.shape.join(', ')}]`);
    }
    if (part.data.length !== size || !part.data.every((value) => typeof value === 'number')) {
      throw wrong(`tensors.${name}.data must hold ${size} numbers, got ${part.data.length}`);
    }
  }
  const sizes = contract.sizes && Object.fromEntries(Object.keys(contract.sizes).map((name) => [name, data.sizes![name]!]));
  const tensors = Object.keys(contract.tensors).map((name) => {
    const { shape, data: values } = data.tensors[name]!;
    return [name, tensor([...values], [...shape], 'float32')] as const;
  });
  return { operator: data.operator, position: data.position, ...(sizes ? { sizes } : {}), tensors: Object.fromEntries(tensors) };
}
