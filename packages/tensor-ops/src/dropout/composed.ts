import { mul, scalar, type Tensor, tensor, where, zerosLike } from '@tensorflow/tfjs-core';
import { type DropoutAttributes, dropoutPlan, randomBits } from './random-bits';

/** The mask is made here and sent to the device: tfjs has no integer product that wraps alike on every backend. */
function drop(x: Tensor, attributes: DropoutAttributes): Tensor {
  const { first, second, threshold, scale } = dropoutPlan(attributes);
  const kept = new Uint8Array(x.size);
  for (let i = 0; i < x.size; i++) kept[i] = Number(randomBits(i, first, second) >= threshold);
  return where(tensor(kept, x.shape, 'bool'), mul(x, scalar(scale)), zerosLike(x));
}

export function composedDropout({ x }: { x: Tensor }, attributes: DropoutAttributes): Record<string, Tensor> {
  return { output: drop(x, attributes) };
}

export function composedDropoutBackward({ dOutput }: { dOutput: Tensor }, attributes: DropoutAttributes): Record<string, Tensor> {
  return { dX: drop(dOutput, attributes) };
}
