import type * as tf from '@tensorflow/tfjs-core';

type Shape = readonly number[];

/** A call with arguments of these shapes, ones; its gradients are zeros. */
export interface EmptyCall {
  readonly of: (...args: tf.Tensor[]) => tf.Tensor;
  /** '[2, 0], [0, 3]' */
  readonly args: string;
  readonly shape: Shape;
  /** Every element of the result. Default 0. */
  readonly value?: number;
}

export const call = (
  of: (...args: never[]) => tf.Tensor,
  args: string,
  shape: Shape,
  rest: Pick<EmptyCall, 'value'> = {},
): EmptyCall => ({ of: of as EmptyCall['of'], args, shape, ...rest });

/** The same function on one argument whose shape it keeps, with each axis empty. */
export const kept = (of: (x: never) => tf.Tensor, ...shapes: Shape[]) =>
  shapes.map((shape) => call(of, JSON.stringify(shape), shape));
