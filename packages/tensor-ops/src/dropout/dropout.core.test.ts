import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { dropout } from './dropout';
import { dropoutReference } from './reference';

test('the gradient of dropout needs none of the gradients of tfjs', async () => {
  const random = new SeededRandom(1);
  const cotangent = random.normals([4, 5]);
  const gradient = tf.grad((x: tf.Tensor) => dropout(x, { rate: 0.3, seed: 3 }));
  const dX = gradient(tensorOf(random.normals([4, 5])), tensorOf(cotangent));
  await assertClose('dX', dX, dropoutReference(cotangent.data, 0.3, 3), { relative: tolerances.cpu.gradient });
});
