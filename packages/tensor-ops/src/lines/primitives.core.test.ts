import { SeededRandom, tensorOf } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { gelu } from '../gelu/gelu';
import { layerNorm } from '../layer-norm/layer-norm';
import { logSumExp } from '../log-sum-exp/log-sum-exp';
import { matMul } from '../mat-mul/mat-mul';
import { rmsNorm } from '../rms-norm/rms-norm';
import { softmax } from '../softmax/softmax';
import { softmaxCrossEntropy } from '../softmax-cross-entropy/softmax-cross-entropy';

const random = new SeededRandom(1);
const gain = () => tensorOf<tf.Tensor1D>(random.normals([4]));

test.each<[name: string, call: (x: tf.Tensor) => tf.Tensor]>([
  ['matMul', (x) => matMul(x, tensorOf(random.normals([4, 5])))],
  ['layerNorm', (x) => layerNorm(x, gain(), gain())],
  ['rmsNorm', (x) => rmsNorm(x, gain())],
  ['softmax', (x) => softmax(x, 1, { mask: tf.ones([3, 1]) })],
  ['logSumExp', (x) => logSumExp(x, 0)],
  ['softmaxCrossEntropy', (x) => softmaxCrossEntropy(x, tf.ones([2, 3], 'int32'))],
  ['gelu', (x) => gelu(x)],
])('the gradient of %s needs none of the gradients of tfjs', async (_, call) => {
  const gradient = tf.grad(call)(tensorOf(random.normals([2, 3, 4])));
  expect(gradient.shape).toEqual([2, 3, 4]);
  expect((await gradient.data()).every(Number.isFinite)).toBe(true);
});
