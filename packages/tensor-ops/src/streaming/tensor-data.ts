import type { Tensor } from '@tensorflow/tfjs-core';

/** A tensor of a state as plain data, safe to store as JSON. */
export interface TensorData {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

/** Reads a tensor of a state back. */
export async function exportTensor(x: Tensor): Promise<TensorData> {
  return { shape: [...x.shape], data: x.size === 0 ? [] : Array.from(await x.data()) };
}

/**
 * What `exportTensor` gave, checked.
 *
 * @param wrong - makes the error from what is wrong with the field.
 * @throws what `wrong` makes, if there is no shape, or not as many numbers as it says.
 */
export function checkTensorData(name: string, given: TensorData | undefined, wrong: (problem: string) => Error): TensorData {
  if (!Array.isArray(given?.shape) || !Array.isArray(given.data)) throw wrong(`tensors.${name} must be {shape, data}`);
  const size = given.shape.reduce((product, length) => product * length, 1);
  if (given.data.length !== size || !given.data.every((value) => typeof value === 'number'))
    throw wrong(`tensors.${name}.data must hold ${size} numbers, got ${given.data.length}`);
  return given;
}
