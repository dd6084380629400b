import { qr64 } from '@mixfold/tensor-ops';
import {
  assertClose,
  describeBackends,
  describeForms,
  expectNoLeak,
  numericalGradient,
  SeededRandom,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { coherence, orthonormalityDefect } from '../measure/index';
import { initialSubspaces } from './initial-subspaces';
import { orthonormalityPenalty } from './orthonormality-penalty';
import { orthonormalize } from './orthonormalize';
import { penaltyGradientReference, penaltyReference } from './reference';

describeForms('orthonormalityPenalty', { fused: [], only: ['cpu', 'wasm'] }, (form) => {
  test.each([
    [1, 1, 1],
    [3, 5, 2],
    [2, 3, 4],
  ] as const)('is the loops in float64, and its gradient their differences, at [%i, %i, %i]', async (...shape) => {
    const subspaces = new SeededRandom(shape[1]).normals([...shape]);
    const { value, grad } = form.run(() =>
      tf.valueAndGrad((u) => orthonormalityPenalty(u as tf.Tensor3D))(tensorOf(subspaces), tf.scalar(0.7)),
    );
    const reference = ({ u }: { u: ArrayLike<number> }) => penaltyReference(u, shape);
    const expected = { shape: [], data: reference({ u: subspaces.data }) };
    await assertClose('penalty', value, expected, { relative: form.tolerance.forward });
    const gradient = numericalGradient(
      (x) => reference(x as { u: ArrayLike<number> }),
      { u: subspaces.data },
      { cotangent: [0.7] },
    );
    for (const [i, x] of penaltyGradientReference(subspaces.data, shape, 0.7).entries()) {
      expect(x).toBeCloseTo(gradient.u![i]!, 5);
    }
    await assertClose('dSubspaces', grad, gradient.u!, { relative: form.tolerance.gradient });
  });

  test('is 0 of no heads, and of heads without columns', async () => {
    for (const shape of [
      [0, 3, 2],
      [2, 3, 0],
    ] as const) {
      const { value, grad } = form.run(() =>
        tf.valueAndGrad((u) => orthonormalityPenalty(u as tf.Tensor3D))(tf.ones([...shape])),
      );
      expect([value.shape, grad.shape, Array.from(await value.data())]).toEqual([[], [...shape], [0]]);
    }
  });

  test('leaks nothing', async () => {
    const subspaces = tf.ones([2, 3, 2]) as tf.Tensor3D;
    await expectNoLeak(() => form.run(() => orthonormalityPenalty(subspaces)).dispose());
  });
});

describeBackends(
  'subspaces',
  () => {
    test('orthonormalize gives orthonormal columns of the same span, and the closest ones', async () => {
      const given = tensorOf<tf.Tensor3D>(new SeededRandom(2).normals([3, 7, 4]));
      const retracted = await orthonormalize(given);
      for (const defect of await orthonormalityDefect(retracted)) expect(defect).toBeLessThan(1e-6);
      const pairs = await coherence(tf.concat([given, retracted]));
      const before = (await given.data()) as Float32Array;
      const after = await retracted.data();
      const distance = (to: ArrayLike<number>) => Math.sqrt(before.reduce((sum, x, i) => sum + (x - to[i]!) ** 2, 0));
      for (let head = 0; head < 3; head++) expect(pairs[head]![head + 3]).toBeCloseTo(1, 6);
      const q = [0, 1, 2].flatMap((k) => [
        ...qr64({ shape: [7, 4], data: Float64Array.from(before.slice(28 * k, 28 * k + 28)) }).q.data,
      ]);
      expect(distance(after)).toBeLessThan(distance(q));
      const again = await orthonormalize(retracted);
      await assertClose('again', again, { shape: [3, 7, 4], data: after }, { relative: 1e-6 });
    });

    test('orthonormalize names the head that is deficient, and what else it refuses', async () => {
      const random = new SeededRandom(3).normals([2, 5, 3]);
      const data = Float32Array.from(random.data);
      // In the second head the third column is the sum of the others.
      for (let i = 0; i < 5; i++) data[(5 + i) * 3 + 2] = data[(5 + i) * 3]! + data[(5 + i) * 3 + 1]!;
      await expect(orthonormalize(tf.tensor3d(data, [2, 5, 3]))).rejects.toThrow(
        /^orthonormalize: the 3 columns of head 1 must be independent, got rank 2 \(singular values from \S+ to \S+\); draw the head anew$/,
      );
      await expect(orthonormalize(tf.zeros([1, 4, 2]))).rejects.toThrow(
        'the 2 columns of head 0 must be independent, got rank 0',
      );
      await expect(orthonormalize(tf.ones([1, 2, 3]))).rejects.toThrow('3 columns of 2 numbers cannot be orthonormal');
      await expect(orthonormalize(tf.fill([1, 2, 1], Number.NaN))).rejects.toThrow('subspaces must hold finite numbers, got NaN');
      await expect(orthonormalize(tf.ones([2, 2]) as never)).rejects.toThrow(
        'subspaces must be [heads dim headDim], got shape [2, 2]',
      );
      expect((await orthonormalize(tf.ones([0, 4, 2]))).shape).toEqual([0, 4, 2]);
    });

    test('are drawn as asked, the same for a seed', async () => {
      const sizes = { heads: 3, dim: 16, headDim: 5 };
      const orthonormal = initialSubspaces({ ...sizes, seed: 4 });
      for (const defect of await orthonormalityDefect(orthonormal)) expect(defect).toBeLessThan(1e-6);
      expect(await initialSubspaces({ ...sizes, seed: 4 }).data()).toEqual(await orthonormal.data());
      expect(await initialSubspaces(sizes).data()).not.toEqual(await initialSubspaces(sizes).data());
      const large = { heads: 4, dim: 100, headDim: 25, seed: 5 };
      const deviation = (x: Float32Array) => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length);
      const uniform = (await initialSubspaces({ ...large, kind: 'kaimingUniform' }).data()) as Float32Array;
      expect(Math.max(...uniform.map(Math.abs))).toBeLessThanOrEqual(0.1);
      expect(deviation(uniform)).toBeCloseTo(0.1 / Math.sqrt(3), 2);
      expect(deviation((await initialSubspaces({ ...large, kind: 'normal', stddev: 0.5 }).data()) as Float32Array)).toBeCloseTo(
        0.5,
        1,
      );
    });

    test('refuse to be drawn where they cannot be', () => {
      expect(() => initialSubspaces({ heads: 1, dim: 2, headDim: 3 })).toThrow(
        'initialSubspaces: 3 orthonormal columns do not exist in 2 dimensions',
      );
      expect(() => initialSubspaces({ heads: 1, dim: 2 } as never)).toThrow('initialSubspaces: option headDim is missing');
      expect(() => initialSubspaces({ heads: 1, dim: 2, headDim: 1, kind: 'uniform' as never })).toThrow(
        "option kind must be one of 'orthonormal', 'kaimingUniform', 'normal', got 'uniform'",
      );
    });
  },
  { only: ['cpu'] },
);
