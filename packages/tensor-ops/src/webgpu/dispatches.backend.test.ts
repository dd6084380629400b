import { countDispatches, describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import {
  cumulativeSum,
  depthwiseConv1d,
  embedding,
  gelu,
  layerNorm,
  logSumExp,
  matMul,
  rmsNorm,
  rotaryEmbedding,
  softmax,
  softmaxCrossEntropy,
} from '../index';

/** A dispatch costs more than the arithmetic of a small layer, so their number is part of what an operator promises. */
const promised: [name: string, call: (x: tf.Tensor) => tf.Tensor, forward: number, withGradient: number, shape?: number[]][] = [
  ['layerNorm', (x) => layerNorm(x, tf.ones([8]), tf.zeros([8])), 1, 4],
  ['rmsNorm', (x) => rmsNorm(x, tf.ones([8])), 1, 4],
  ['softmax', (x) => softmax(x), 1, 2],
  ['logSumExp', (x) => logSumExp(x), 1, 2],
  ['gelu', (x) => gelu(x), 1, 2],
  ['cumulativeSum', (x) => cumulativeSum(x, 1), 1, 2],
  ['rotaryEmbedding', (x) => rotaryEmbedding(x as tf.Tensor4D), 1, 2, [1, 6, 2, 4]],
  ['softmaxCrossEntropy', (x) => softmaxCrossEntropy(x, tf.zeros([2, 6], 'int32')), 2, 3],
  ['embedding', (x) => embedding(x as tf.Tensor2D, tf.tensor1d([1, 3, 1], 'int32')), 1, 2, [5, 8]],
  ['depthwiseConv1d', (x) => depthwiseConv1d(x as tf.Tensor3D, tf.ones([3, 8])), 1, 4],
  // The gradient of the right factor is not asked for, so it is not made.
  ['matMul', (x) => matMul(x, tf.ones([8, 5])), 1, 2],
];

describeBackends(
  'the number of dispatches',
  () => {
    test.each(promised)('of %s', async (_, call, forward, withGradient, shape = [2, 6, 8]) => {
      const x = tf.randomNormal(shape);
      const made = await countDispatches(() => call(x));
      expect(made.dispatches).toBe(forward);
      const cotangent = tf.randomNormal(made.result.shape);
      const { dispatches } = await countDispatches(() => tf.valueAndGrad(call)(x, cotangent));
      expect(dispatches).toBe(withGradient);
    });
  },
  { only: ['webgpu'] },
);
