import { concat, expandDims, fill, greater, slice, type Tensor, where } from '@tensorflow/tfjs-core';
import { maskSources, NONE } from '../masked-sources';
import { type MemoryParts, splitMemory } from '../window-memory';
import type { Geometry } from './geometry';

/** The tensors of a call that its sources come from. */
export interface SourceInputs {
  readonly key: Tensor;
  readonly value: Tensor;
  readonly keyMask?: Tensor | undefined;
  /** A memory, see `memoryLayout`. */
  readonly state?: Tensor | undefined;
}

/** All sources of a call, those that its state remembers first. One that does not exist has keys of NONE and values of 0. */
export interface AllSources {
  readonly key: Tensor;
  readonly value: Tensor;
  /** 1 where a source exists; null if all do. */
  readonly exists: Tensor | null;
  readonly state: MemoryParts | undefined;
}

export function allSources(inputs: SourceInputs, { dim, past }: Geometry): AllSources {
  const { key, value, exists } = maskSources(inputs.key, inputs.value, inputs.keyMask);
  const state = inputs.state && splitMemory(inputs.state, { keyWidth: dim, dim, past });
  const remembered = state?.sources;
  return {
    key: remembered ? concat([remembered.keys, key], 1) : key,
    value: remembered ? concat([remembered.values, value], 1) : value,
    exists,
    state,
  };
}

/** Steps `from` to `to`. */
export const steps = (x: Tensor, from: number, to: number): Tensor => slice(x, [0, from, 0], [-1, to - from, -1]);

/**
 * Step `shift` of each of `parts` to the first place, `count` steps; what lies before the first step or after the last one is nothing: NONE in the first
 * part, 0 in the others.
 */
export function shifted(parts: readonly Tensor[], shift: number, count: number): Tensor[] {
  return parts.map((part, i) => {
    const [batch, length, dim] = part.shape as [number, number, number];
    const [from, to] = [Math.min(length, Math.max(0, shift)), Math.min(length, Math.max(0, shift + count))];
    const [before, after] = [Math.min(count, Math.max(0, -shift)), Math.min(count, Math.max(0, shift + count - length))];
    const nothing = (size: number) => (size === 0 ? [] : [fill([batch, size, dim], i === 0 ? NONE : 0)]);
    const inside = to === from ? [] : [steps(part, from, to)];
    const all = [...nothing(before), ...inside, ...nothing(after)];
    return all.length === 1 ? all[0]! : concat(all, 1);
  });
}

/** Elements that a block of a composed form may have. */
const BLOCK_ELEMENTS = 2 ** 20;

/** Steps that a block of a small window may have: more would pair it with mostly what is out of reach, fewer would be calls without work. */
const SMALL_WINDOW_STEPS = 64;

/** Ranges that cover `begin` to `end`, each so short that its pairs with the targets or sources in reach, times batch and dim, stay within a block. */
export function blocks({ batch, dim, reach, sources }: Geometry, begin: number, end: number): [from: number, to: number][] {
  const side = Math.min(reach, sources);
  const fitting = Math.floor(Math.sqrt(side * side + BLOCK_ELEMENTS / (batch * dim)) - side);
  const size = Math.max(1, Math.min(fitting, Math.max(SMALL_WINDOW_STEPS, 2 * side)));
  const all: [number, number][] = [];
  for (let from = begin; from < end; from += size) all.push([from, Math.min(end, from + size)]);
  return all;
}

/** Where `x` is an exponent and not NONE, as tfjs ops; elsewhere `instead`. */
export const unlessNone = (x: Tensor, instead: number): Tensor => where(greater(x, NONE / 2), x, fill(x.shape, instead));

/** `[batch, steps, dim]` with an axis for the other side of a pair. */
export const overTargets = (x: Tensor): Tensor => expandDims(x, 1);
export const overSources = (x: Tensor): Tensor => expandDims(x, 2);
