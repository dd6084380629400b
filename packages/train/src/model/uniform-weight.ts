import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import type { Random } from '../random/random';

/**
 * Weights drawn evenly around zero with the given standard deviation.
 *
 * Uniform rather than normal: it takes exact arithmetic only, so a seed gives the same bits on every engine.
 */
export function uniformWeight(random: Random, shape: number[], deviation: number): Tensor {
  const bound = deviation * Math.sqrt(3);
  const size = shape.reduce((product, length) => product * length, 1);
  return tensor(
    Float32Array.from({ length: size }, () => bound * (2 * random.uniform() - 1)),
    shape,
  );
}
