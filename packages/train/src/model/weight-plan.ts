import { fill, type Tensor, tensor } from '@tensorflow/tfjs-core';
import type { Random } from '../random/random';
import type { Params } from './params';

/** A weight before it exists: its shape, and how it begins. */
export interface WeightPlan {
  readonly shape: readonly number[];
  make(random: Random): Tensor;
}

/** The weights of a model before they exist, nested as its params. They are drawn in the order in which they stand here. */
export interface ParamsPlan {
  readonly [name: string]: WeightPlan | ParamsPlan;
}

/**
 * Weights drawn evenly around zero with the given standard deviation.
 *
 * Uniform rather than normal: it takes exact arithmetic only, so a seed gives the same bits on every engine.
 */
export function uniform(shape: readonly number[], deviation: number): WeightPlan {
  const bound = deviation * Math.sqrt(3);
  return numbers(shape, (random) => bound * (2 * random.uniform() - 1));
}

/** Weights that all begin as one number. */
export function constant(shape: readonly number[], value: number): WeightPlan {
  return { shape, make: () => fill([...shape], value) };
}

/** Weights by a rule, called for each in C order. */
export function numbers(shape: readonly number[], rule: (random: Random, at: number) => number): WeightPlan {
  return {
    shape,
    make: (random) =>
      tensor(
        Float32Array.from({ length: sizeOf(shape) }, (_, at) => rule(random, at)),
        [...shape],
      ),
  };
}

/** Makes the weights of a plan. The caller disposes them. */
export function makeParams(plan: ParamsPlan, random: Random): Params {
  return Object.fromEntries(
    Object.entries(plan).map(([name, value]) => [name, isWeight(value) ? value.make(random) : makeParams(value, random)]),
  );
}

/** Number of weights of a plan; none is made. */
export function countPlanned(plan: ParamsPlan): number {
  return Object.values(plan).reduce((sum, value) => sum + (isWeight(value) ? sizeOf(value.shape) : countPlanned(value)), 0);
}

const isWeight = (value: WeightPlan | ParamsPlan): value is WeightPlan => typeof value.make === 'function';

const sizeOf = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);
