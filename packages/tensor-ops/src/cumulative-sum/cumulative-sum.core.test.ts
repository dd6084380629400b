import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { cumulativeSum } from './cumulative-sum';
import { cumulativeSumReference } from './reference';

test('the gradient of cumulativeSum needs none of the gradients of tfjs', async () => {
  const random = new SeededRandom(1);
  const cotangent = random.normals([2, 5, 3]);
  const dX = tf.grad((x: tf.Tensor) => cumulativeSum(x, 1))(tensorOf(random.normals([2, 5, 3])), tensorOf(cotangent));
  const expected = cumulativeSumReference({ outer: 2, time: 5, inner: 3, reverse: true }, cotangent.data);
  await assertClose('dX', dX, expected, { relative: tolerances.cpu.gradient });
});
