import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { embedding } from './embedding';
import { embeddingGradientReference } from './reference';

test('the gradient of embedding needs none of the gradients of tfjs', async () => {
  const random = new SeededRandom(1);
  const ids = [2, 0, 2, 4];
  const cotangent = random.normals([4, 3]);
  const gradient = tf.grad((table: tf.Tensor) => embedding(table as tf.Tensor2D, tf.tensor1d(ids, 'int32')));
  const dTable = gradient(tensorOf(random.normals([5, 3])), tensorOf(cotangent));
  const expected = embeddingGradientReference(cotangent.data, ids, 5, 3);
  await assertClose('dTable', dTable, expected, { relative: tolerances.cpu.gradient });
});
