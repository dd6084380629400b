import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { aftLocal } from './aft-local';
import { biasKinds, biasOf, randomArguments, referenceLocal } from './test-calls';

test.each(biasKinds)('the gradient of aftLocal needs none of the gradients of tfjs: %s', async (kind) => {
  const random = new SeededRandom(2);
  const shape = [2, 5, 3] as const;
  const options = { causal: true, windowSize: 2 };
  const given = randomArguments(random, shape, { kind, windowSize: 2 });
  const cotangent = random.normals(shape);
  const names = Object.keys(given.bias);
  const inputs = [given.query, given.key, given.value, ...names.map((name) => given.bias[name]!)].map((values) =>
    tensorOf(values),
  );
  const call = (...[query, key, value, ...bias]: tf.Tensor[]) =>
    aftLocal(
      query as tf.Tensor3D,
      key as tf.Tensor3D,
      value as tf.Tensor3D,
      biasOf(Object.fromEntries(names.map((name, i) => [name, bias[i]!]))),
      options,
    );
  const gradients = tf.grads(call)(inputs, tensorOf(cotangent));
  const expected = referenceLocal(given, cotangent, options);
  const all = [expected.dQuery, expected.dKey, expected.dValue, ...names.map((name) => expected.dBias[name]!.data)];
  for (const [i, data] of all.entries()) {
    await assertClose(`gradient ${i}`, gradients[i]!, data, { relative: tolerances.cpu.gradient });
  }
});
