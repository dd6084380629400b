import { type Attributes, type AxisSizes, ShapeError } from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { QueryActivation } from '../query-activation';
import { memoryLayout } from '../window-memory';

/** Options of every operator of AFT-local. */
export type LocalAttributes = {
  readonly causal: boolean;
  readonly windowSize: number;
  /** Tokens before the first target: its row in the bias. */
  readonly position: number;
  readonly queryActivation: QueryActivation;
};

/**
 * Where things stand. Sources are counted from the oldest that the state remembers: `past` of them, then those of the call, so that target `t` is
 * source `past + t`.
 */
export interface Geometry {
  readonly batch: number;
  readonly time: number;
  readonly dim: number;
  readonly past: number;
  readonly sources: number;
  /** The bias counts up to this distance; -1 if it never does. */
  readonly reach: number;
  /** How far before a target the sources end whose bias is 0: the target's own one is among them if there is no window. */
  readonly lag: number;
  /** The first source that has a place in the sequence. */
  readonly begin: number;
  readonly causal: boolean;
  readonly position: number;
}

/** @throws ShapeError if the state or the bias does not fit; the public functions say so in the words of their arguments. */
export function geometryOf(
  inputs: Readonly<Record<string, Pick<TensorInfo, 'shape'> | undefined>>,
  attributes: Attributes,
  { batch, time, dim }: AxisSizes,
): Geometry {
  const { causal, windowSize, position } = attributes as LocalAttributes;
  const hasState = inputs.state !== undefined;
  const past = hasState ? Math.max(0, windowSize - 1) : 0;
  const refuse = (problem: string) => {
    throw new ShapeError(`aftLocal: ${problem}`);
  };
  if (hasState && !causal) refuse('a state needs causal');
  const terms = memoryLayout({ keyWidth: dim!, dim: dim!, past }).length;
  if (hasState && inputs.state!.shape[1] !== terms) refuse(`state must have ${terms} terms, got ${inputs.state!.shape[1]}`);
  const end = position + time!;
  const covers = (name: string, axis: number, least: number) => {
    const size = inputs[name]?.shape[axis];
    if (size !== undefined && size < least) refuse(`${name} covers ${size} of ${least} on axis ${axis}`);
  };
  for (const name of ['band', 'u', 'v', 'positionBias']) covers(name, 0, end);
  covers('positionBias', 1, end);
  const width = inputs.band?.shape[1];
  if (width !== undefined && width !== 2 * windowSize - 1) refuse(`band must have ${2 * windowSize - 1} columns, got ${width}`);
  return {
    batch: batch!,
    time: time!,
    dim: dim!,
    past,
    sources: past + time!,
    reach: windowSize - 1,
    lag: windowSize,
    begin: Math.max(0, past - position),
    causal,
    position,
  };
}

/** The sources whose bias counts for targets `from` to `to`, as a range. */
export function sourcesOf(
  { past, sources, reach, begin, causal }: Geometry,
  from: number,
  to: number,
): [from: number, to: number] {
  const first = Math.max(begin, past + from - reach);
  return [first, Math.max(first, Math.min(sources, past + to + (causal ? Math.min(0, reach) : reach)))];
}

/** The targets for which the bias of sources `from` to `to` counts, as a range. */
export function targetsOf({ past, time, reach, causal }: Geometry, from: number, to: number): [from: number, to: number] {
  const first = Math.max(0, from - past - (causal ? Math.min(0, reach) : reach));
  return [first, Math.max(first, Math.min(time, to - past + reach))];
}
