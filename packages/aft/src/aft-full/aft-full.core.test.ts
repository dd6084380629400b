import { assertClose, SeededRandom, tensorOf, tolerances } from '@mixfold/testing';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { test } from 'vitest';
import { aftFull } from './aft-full';
import { randomFull, referenceFull } from './test-calls';

test.each([0, 2])('the gradient of aftFull needs none of the gradients of tfjs, rank %i', async (rank) => {
  const random = new SeededRandom(2);
  const given = randomFull(random, [2, 4, 5, 3], { rank });
  const cotangent = random.normals([2, 4, 3]);
  const expected = referenceFull(given, cotangent);
  const [query, key, value] = [given.query, given.key, given.value].map((x) => tensorOf<tf.Tensor3D>(x)) as [
    tf.Tensor3D,
    tf.Tensor3D,
    tf.Tensor3D,
  ];
  // Larger than the sequence, so that the slice is differentiated too.
  const larger = (x: typeof given.query) =>
    tf.pad(tensorOf<tf.Tensor2D>(x), [
      [0, 1],
      [0, 0],
    ]);
  const tables = rank === 0 ? [larger(given.positionBias!)] : [larger(given.u!), larger(given.v!)];
  const call = (k: tf.Tensor, ...[first, second]: tf.Tensor[]) =>
    aftFull(
      query,
      k as tf.Tensor3D,
      value,
      rank === 0 ? (first as tf.Tensor2D) : { u: first as tf.Tensor2D, v: second as tf.Tensor2D },
    );
  const gradients = tf.grads(call)([key, ...tables], tensorOf(cotangent));
  const names = rank === 0 ? (['dKey', 'dPositionBias'] as const) : (['dKey', 'dU', 'dV'] as const);
  for (const [i, name] of names.entries()) {
    const inside = (await gradients[i]!.data()).slice(0, expected[name].length);
    await assertClose(name, inside, expected[name], { relative: tolerances.cpu.gradient });
  }
});
