import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { mssa } from './mssa';
import { randomMssa, referenceMssa } from './test-calls';

test('the gradient of mssa needs none of the gradients of tfjs', async () => {
  const random = new SeededRandom(2);
  const { cotangent, ...drawn } = randomMssa(random, { batch: 2, tokens: 5, dim: 4, heads: 2, headDim: 3 }, { untied: true });
  const given = { ...drawn, queryKeyGain: random.normals([3]) };
  const expected = referenceMssa(given, cotangent, { causal: true });
  const call = (...[tokens, subspaces, output, queryKeyGain]: tf.Tensor[]) =>
    mssa(tokens as tf.Tensor3D, subspaces as tf.Tensor3D, {
      causal: true,
      output: output as tf.Tensor3D,
      queryKeyGain: queryKeyGain as tf.Tensor1D,
    }) as tf.Tensor;
  const inputs = [given.tokens, given.subspaces, given.output!, given.queryKeyGain].map((values) => tensorOf(values));
  const gradients = tf.grads(call)(inputs, tensorOf(cotangent));
  for (const [i, name] of (['dTokens', 'dSubspaces', 'dOutput', 'dQueryKeyGain'] as const).entries()) {
    await assertClose(name, gradients[i]!, expected[name], { relative: tolerances.cpu.gradient });
  }
});
