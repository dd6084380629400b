import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { aftSimple } from './aft-simple';
import { referenceSimple } from './test-calls';

test.each([false, true])('the gradient of aftSimple needs none of the gradients of tfjs, causal %s', async (causal) => {
  const random = new SeededRandom(2);
  const shape = [2, 5, 3];
  const given = { query: random.normals(shape), key: random.normals(shape), value: random.normals(shape) };
  const cotangent = random.normals(shape);
  const [query, key, value] = [given.query, given.key, given.value].map((values) => tensorOf<tf.Tensor3D>(values)) as [
    tf.Tensor3D,
    tf.Tensor3D,
    tf.Tensor3D,
  ];
  const call = (...[q, k, v]: tf.Tensor[]) => aftSimple(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, { causal });
  const gradients = tf.grads(call)([query, key, value], tensorOf(cotangent));
  const expected = referenceSimple(given, cotangent, { causal });
  for (const [i, name] of (['dQuery', 'dKey', 'dValue'] as const).entries()) {
    await assertClose(name, gradients[i]!, expected[name], { relative: tolerances.cpu.gradient });
  }
});
