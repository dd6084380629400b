import { Tensor, tensor } from '@tensorflow/tfjs-core';

/** Row-major numbers with their shape. */
export interface ShapedValues {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Anything a test compares: a tensor, shaped values, or bare numbers (whose shape is then not compared). */
export type Values = Tensor | ShapedValues | ArrayLike<number>;

export interface ReadValues {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[] | undefined;
}

/** Downloads a tensor, or takes numbers as they are. Never disposes. */
export async function readValues(values: Values): Promise<ReadValues> {
  if (values instanceof Tensor) return { data: await values.data(), shape: values.shape };
  if ('data' in values) return { data: values.data, shape: values.shape };
  return { data: values, shape: undefined };
}

/** A float32 tensor of the values. The caller disposes it; inside a guarded test the test's scope does. */
export function tensorOf<T extends Tensor = Tensor>({ data, shape }: ShapedValues): T {
  return tensor(Float32Array.from(data), [...shape], 'float32') as T;
}
