import { SeededRandom, tensorOf } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import {
  fractionalShift,
  relativePositionBias,
  shift,
  shiftConvolution,
  shiftConvolution2d,
  shiftConvolutionDepthwise,
  shiftConvolutionDepthwise2d,
  shiftMixture,
  t5Bias,
  tisaBias,
} from './index';

type Call = (...inputs: never[]) => tf.Tensor;

/** A call, and the shapes of the inputs in which it is differentiated. */
const calls: Record<string, readonly [Call, ...number[][]]> = {
  shift: [(x: tf.Tensor3D) => shift(x, 2, { boundary: 'reflect' }), [2, 5, 3]],
  shiftConvolution: [
    (x: tf.Tensor3D, theta: tf.Tensor3D) => shiftConvolution(x, theta, { offsets: [-1, 0, 2] }),
    [2, 5, 3],
    [3, 3, 2],
  ],
  shiftConvolution2d: [
    (x: tf.Tensor4D, theta: tf.Tensor3D) =>
      shiftConvolution2d(x, theta, {
        offsets: [
          [0, 1],
          [-1, 2],
        ],
      }),
    [1, 4, 5, 3],
    [2, 3, 2],
  ],
  shiftConvolutionDepthwise: [
    (x: tf.Tensor3D, theta: tf.Tensor2D) => shiftConvolutionDepthwise(x, theta, { offsets: [0, 1], boundary: 'circular' }),
    [2, 5, 3],
    [2, 3],
  ],
  shiftConvolutionDepthwise2d: [
    (x: tf.Tensor4D, theta: tf.Tensor2D) =>
      shiftConvolutionDepthwise2d(x, theta, {
        offsets: [
          [0, 1],
          [-1, 2],
        ],
      }),
    [1, 4, 5, 3],
    [2, 3],
  ],
  shiftMixture: [
    (x: tf.Tensor3D, weights: tf.Tensor2D) => shiftMixture(x, weights, { offsets: [0, 1, 3], normalize: true }),
    [2, 5, 4],
    [2, 3],
  ],
  fractionalShift: [(x: tf.Tensor3D, offset: tf.Tensor1D) => fractionalShift(x, offset), [2, 6, 4], [2]],
  relativePositionBias: [(values: tf.Tensor2D) => relativePositionBias(values, 4), [2, 7]],
  t5Bias: [(table: tf.Tensor2D) => t5Bias(table, 5), [32, 2]],
  tisaBias: [
    (amplitude: tf.Tensor2D, sharpness: tf.Tensor2D, center: tf.Tensor2D) => tisaBias({ amplitude, sharpness, center }, 5),
    [2, 3],
    [2, 3],
    [2, 3],
  ],
};

test.each(Object.entries(calls))(
  'the gradients of %s need none of those of tfjs, and are its slopes',
  async (_, [call, ...shapes]) => {
    const random = new SeededRandom(3);
    const draw = (shape: number[], deviation: number) => tf.mul(tensorOf(random.normals(shape)), deviation);
    // Away from the corners of |sharpness| and of whole offsets.
    const inputs = shapes.map((shape) => tf.add(draw(shape, 0.1), 0.4));
    const run = call as (...inputs: tf.Tensor[]) => tf.Tensor;
    const received = draw(run(...inputs).shape, 1);
    const gradients = tf.grads(run)(inputs, received);
    for (const [i, input] of inputs.entries()) {
      const direction = draw(input.shape, 1);
      const at = (step: number) => {
        const moved = inputs.map((other, j) => (i === j ? tf.add(other, tf.mul(direction, step)) : other));
        return tf.sum(tf.mul(run(...moved), received)).dataSync()[0]!;
      };
      const slope = (at(0.01) - at(-0.01)) / 0.02;
      const expected = tf.sum(tf.mul(gradients[i]!, direction)).dataSync()[0]!;
      expect(Math.abs(slope - expected)).toBeLessThan(2e-3 * Math.max(1, Math.abs(expected)));
    }
  },
);
