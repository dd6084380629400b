import type { TensorInfo } from '@tensorflow/tfjs-core';
import { OptionError, ShapeError } from '../errors';
import type { KernelCall } from '../operator/types';
import { itemsOf } from '../tensor-list/tensor-list';

/** The attributes of the operator. A type alias, for an interface is no record of attributes. */
export type AdamWAttributes = {
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** `1` or `0` per parameter; nothing if all decay. */
  readonly decays: string;
  /** Steps, this one included. */
  readonly updates: number;
};

/** One step as a kernel takes it: every power and quotient of the options is made once, in float64. */
export interface UpdateTerms {
  readonly keptMean: number;
  readonly takenMean: number;
  readonly keptSquare: number;
  readonly takenSquare: number;
  /** Factor of the root of the mean square: 1 / sqrt(1 - beta2^n). */
  readonly deviationScale: number;
  readonly epsilon: number;
  /** rate / (1 - beta1^n). */
  readonly stepSize: number;
  /** Factor of the parameters that decay. */
  readonly decay: number;
}

/** @throws OptionError unless both betas are below 1. */
export function updateTerms({ rate, beta1, beta2, epsilon, weightDecay, updates }: AdamWAttributes): UpdateTerms {
  for (const [name, beta] of Object.entries({ beta1, beta2 })) {
    if (beta >= 1) throw new OptionError(`adamWStep: option ${name} must be below 1, got ${beta}`);
  }
  return {
    keptMean: beta1,
    takenMean: 1 - beta1,
    keptSquare: beta2,
    takenSquare: 1 - beta2,
    deviationScale: 1 / Math.sqrt(1 - beta2 ** updates),
    epsilon: epsilon,
    stepSize: rate / (1 - beta1 ** updates),
    decay: 1 - rate * weightDecay,
  };
}

/** One parameter among those of a step. */
export interface Segment<Item> {
  /** Its name as an input and as an output. */
  readonly name: string;
  readonly parameter: Item;
  readonly gradient: Item;
  readonly size: number;
  /** Where its moments begin. */
  readonly start: number;
  readonly decays: boolean;
}

/**
 * The parameters of a call, in order.
 *
 * @throws ShapeError if the moments are not as long as all of them together.
 */
export function segmentsOf<Item extends Pick<TensorInfo, 'shape'>>(
  inputs: Readonly<Record<string, Item>>,
  sizes: KernelCall['sizes'],
  { decays }: AdamWAttributes,
): Segment<Item>[] {
  const gradients = itemsOf('gradients', inputs);
  let end = 0;
  const segments = itemsOf('parameters', inputs).map((parameter, i) => {
    const [start, size] = [end, sizes[`...shape${i}`]!];
    end += size;
    return {
      name: `parameters[${i}]`,
      parameter,
      gradient: gradients[i]!,
      size,
      start,
      decays: decays === '' || decays[i] === '1',
    };
  });
  if (end !== sizes.weights) {
    throw new ShapeError(
      `adamWStep: the parameters have ${end} elements but mean and square of the state ${sizes.weights}; a state belongs to the parameters that adamWState was given`,
    );
  }
  return segments;
}
