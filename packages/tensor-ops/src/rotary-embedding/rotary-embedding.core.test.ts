import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { rotaryReference } from './reference';
import { rotaryEmbedding } from './rotary-embedding';

test('the gradient of rotaryEmbedding needs none of the gradients of tfjs', async () => {
  const random = new SeededRandom(1);
  const shape = [2, 1, 5, 6];
  const cotangent = random.normals(shape);
  const gradient = tf.grad((x: tf.Tensor) => rotaryEmbedding(x as tf.Tensor4D));
  const dX = gradient(tensorOf(random.normals(shape)), tensorOf(cotangent));
  await assertClose('dX', dX, rotaryReference({ shape }, cotangent.data, -1), { relative: tolerances.cpu.gradient });
});
