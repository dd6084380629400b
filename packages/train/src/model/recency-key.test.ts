import { assertClose, describeBackends, numericalGradient, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '../register-gradients';
import { test } from 'vitest';
import { recencyKey } from './recency-key';

const [ROWS, DIM] = [6, 5];

const recencyReference = (key: ArrayLike<number>, slope: ArrayLike<number>): number[] =>
  Array.from(key, (value, i) => value + slope[i % DIM]! * ((Math.floor(i / DIM) % 3) - 2));

describeBackends('recencyKey', (backend) => {
  const random = new SeededRandom(5);
  const [x, row, cotangent] = [random.normals([ROWS, DIM]), random.normals([DIM]), random.normals([ROWS, DIM])];
  const { forward, gradient } = backend.tolerance;

  test('adds positions, and has their gradients', async () => {
    const f = (a: tf.Tensor, b: tf.Tensor) => recencyKey(a as tf.Tensor2D, b as tf.Tensor1D, [-2, -1, 0]);
    await assertClose('output', f(tensorOf(x), tensorOf(row)), recencyReference(x.data, row.data), { relative: forward });
    const exact = numericalGradient(
      ({ a, b }) => recencyReference(a, b),
      { a: x.data, b: row.data },
      { cotangent: cotangent.data },
    );
    const [dKey, dSlope] = tf.grads(f)([tensorOf(x), tensorOf(row)], tensorOf(cotangent));
    await assertClose('dKey', dKey!, exact.a!, { relative: gradient });
    await assertClose('dSlope', dSlope!, exact.b!, { relative: gradient });
  });
});
