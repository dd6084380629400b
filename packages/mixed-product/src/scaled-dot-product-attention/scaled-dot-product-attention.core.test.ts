import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { scaledDotProductAttention } from './scaled-dot-product-attention';
import { randomAttention, referenceAttention } from './test-calls';

test('the gradient of scaledDotProductAttention needs none of the gradients of tfjs', async () => {
  const random = new SeededRandom(2);
  const { cotangent, ...drawn } = randomAttention(random, { batch: 2, heads: 2, target: 4, source: 5, headDim: 3 });
  const given = { ...drawn, bias: random.normals([2, 4, 5]) };
  const expected = await referenceAttention(given, cotangent, { causal: true });
  const call = (...[query, key, value, bias]: tf.Tensor[]) =>
    scaledDotProductAttention(query as tf.Tensor4D, key as tf.Tensor4D, value as tf.Tensor4D, { causal: true, bias });
  const inputs = [given.query, given.key, given.value, given.bias].map((values) => tensorOf(values));
  const gradients = tf.grads(call)(inputs, tensorOf(cotangent));
  for (const [i, name] of (['dQuery', 'dKey', 'dValue', 'dBias'] as const).entries()) {
    await assertClose(name, gradients[i]!, expected[name], { relative: tolerances.cpu.gradient });
  }
});
