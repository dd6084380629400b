import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { aftConv1d } from './aft-conv-1d';
import { randomArguments, referenceConv1d } from './test-calls';

test.each([false, true])('the gradient of aftConv1d needs none of the gradients of tfjs, causal %s', async (causal) => {
  const random = new SeededRandom(2);
  const given = randomArguments(random, [2, 5, 4, 2, 3]);
  const cotangent = random.normals([2, 5, 4]);
  const call = (...[q, k, v, w]: tf.Tensor[]) =>
    aftConv1d(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, w as tf.Tensor2D, { causal });
  const inputs = [given.query, given.key, given.value, given.kernel].map((values) => tensorOf(values));
  const gradients = tf.grads(call)(inputs, tensorOf(cotangent));
  const expected = referenceConv1d(given, cotangent, { causal });
  for (const [i, name] of (['dQuery', 'dKey', 'dValue', 'dKernel'] as const).entries()) {
    await assertClose(name, gradients[i]!, expected[name], { relative: tolerances.cpu.gradient });
  }
});
