import {
  assertAgrees,
  assertClose,
  describeForms,
  expectNoLeak,
  hostileTolerance,
  runConformance,
  SeededRandom,
  type ShapedValues,
  type TestForm,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import type { AftOptions } from '../aft-simple/aft-simple';
import type { QueryActivation } from '../query-activation';
import { aftConv1d } from './aft-conv-1d';
import {
  type Conv1dArguments,
  type Conv1dOptions,
  type Conv1dShape,
  differentiateConv1d,
  fusedBackends,
  randomArguments,
  referenceConv1d,
  results,
  runConv1d,
} from './test-calls';

async function agreesWithReference(
  form: TestForm,
  given: Conv1dArguments,
  cotangent: ShapedValues,
  options: Conv1dOptions,
  hostile = false,
): Promise<void> {
  const expected = referenceConv1d(given, cotangent, options);
  const actual = differentiateConv1d(form, given, cotangent, options);
  await assertAgrees(actual, expected, hostile ? { largest: hostileTolerance } : { relative: form.tolerance });
}

/** Batch, time, dim, heads, window: odd and even windows, wider than the sequence, one head and one per channel, sizes about the tiles. */
const shapes: Conv1dShape[] = [
  [1, 1, 1, 1, 1],
  [2, 2, 3, 3, 2],
  [1, 3, 4, 1, 7],
  [3, 7, 4, 2, 1],
  [2, 13, 9, 3, 4],
  [1, 16, 6, 6, 15],
  [1, 17, 70, 70, 5],
  [1, 19, 130, 1, 6],
  [2, 33, 68, 17, 3],
  [1, 65, 3, 3, 31],
  [1, 131, 5, 1, 64],
];

describeForms('aftConv1d', { fused: fusedBackends }, (form) => {
  for (const file of ['aftConv1d', 'aftConv1dHostile', 'aftConv1dKeyMask']) {
    runConformance(form, file, ({ query, key, value, kernel, ...masks }, attrs) => {
      const options = { ...(attrs as AftOptions), ...masks };
      return aftConv1d(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, kernel as tf.Tensor2D, options);
    });
  }

  for (const causal of [false, true]) {
    test.each(form.isSlow ? shapes.slice(0, 5) : shapes)(
      `agrees with the reference at [%i, %i, %i], %i heads, window %i, causal ${causal}`,
      async (...shape) => {
        const random = new SeededRandom(shape[1] + shape[2]);
        const [batch, time, dim] = shape;
        await agreesWithReference(form, randomArguments(random, shape, 2), random.normals([batch, time, dim]), { causal });
      },
    );

    const gates: QueryActivation[] = ['sigmoid', null, 'linear', 'tanh', 'relu'];
    test.each(form.isSlow ? gates.slice(0, 2) : gates)(`gates by %s under a mask, causal ${causal}`, async (queryActivation) => {
      const random = new SeededRandom(3);
      const keyMask = random.mask([3, 19], 0.6);
      // The first batch starts with nothing to attend to, the second has nothing at all.
      keyMask.data.fill(0, 0, 4).fill(0, 19, 38);
      const given = { ...randomArguments(random, [3, 19, 6, 2, 4]), keyMask };
      await agreesWithReference(form, given, random.normals([3, 19, 6]), { causal, queryActivation });
    });

    test(`keeps its promise for keys and kernels up to 20, causal ${causal}`, async () => {
      const time = form.isSlow ? 20 : 90;
      const random = new SeededRandom(9);
      const given = {
        ...randomArguments(random, [1, time, 6, 3, 9]),
        key: random.uniforms([1, time, 3], -20, 20),
        kernel: random.uniforms([3, 9], -20, 20),
      };
      await agreesWithReference(form, given, random.normals([1, time, 6]), { causal });
    });

    test(`a masked source may hold anything, causal ${causal}`, async () => {
      const random = new SeededRandom(4);
      const keyMask = random.mask([2, 9], 0.5);
      const clean = { ...randomArguments(random, [2, 9, 4, 2, 3]), keyMask };
      const poison = ({ data, shape }: ShapedValues) => ({
        shape,
        data: Array.from(data, (x, i) => (keyMask.data[Math.floor(i / shape[2]!)] === 0 ? Number.NaN : x)),
      });
      const poisoned = { ...clean, key: poison(clean.key), value: poison(clean.value) };
      const cotangent = random.normals([2, 9, 4]);
      const [a, b] = [clean, poisoned].map((given) => differentiateConv1d(form, given, cotangent, { causal }));
      for (const name of results) expect(Array.from(await b![name].data())).toEqual(Array.from(await a![name].data()));
    });

    test(`leaks nothing, causal ${causal}`, async () => {
      const random = new SeededRandom(6);
      const given = { ...randomArguments(random, [2, 5, 4, 2, 3]), keyMask: random.mask([2, 5]) };
      const cotangent = random.normals([2, 5, 4]);
      await expectNoLeak(() => tf.tidy(() => tf.dispose(runConv1d(form, given, { causal }))));
      await expectNoLeak(() => tf.tidy(() => tf.dispose(Object.values(differentiateConv1d(form, given, cotangent, { causal })))));
    });

    test(`an empty batch, time or dim gives an empty result and empty gradients, causal ${causal}`, async () => {
      for (const [batch, time, dim, heads, window] of [
        [0, 3, 2, 1, 3],
        [2, 0, 2, 2, 3],
        [2, 3, 0, 0, 3],
      ] as Conv1dShape[]) {
        const random = new SeededRandom(1);
        const given = randomArguments(random, [batch, time, dim, heads, window]);
        const actual = differentiateConv1d(form, given, random.normals([batch, time, dim]), { causal });
        expect(actual.output.shape).toEqual([batch, time, dim]);
        expect(actual.dKernel.shape).toEqual([heads, window]);
        expect(actual.dKey.shape).toEqual([batch, time, heads]);
      }
    });
  }

  if (form.name !== 'webgpu') {
    test('NaN reaches what depends on it and nothing else', async () => {
      const random = new SeededRandom(7);
      const given = randomArguments(random, [1, 6, 2, 2, 3]);
      const spoil = ({ shape, data }: ShapedValues, at: number) => ({
        shape,
        data: Array.from(data, (x, i) => (i === at ? Number.NaN : x)),
      });
      const lost = async (changed: Partial<Conv1dArguments>) => {
        const output = await runConv1d(form, { ...given, ...changed }, { causal: true }).data();
        return Array.from(output).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
      };
      expect(await lost({ value: spoil(given.value, 4) })).toEqual([4, 6, 8, 10]);
      expect(await lost({ key: spoil(given.key, 7) })).toEqual([7, 9, 11]);
    });
  }

  test('takes masks of every type', async () => {
    const random = new SeededRandom(8);
    const given = { ...randomArguments(random, [2, 4, 4, 2, 3]), keyMask: random.mask([2, 4]) };
    const expected = referenceConv1d(given);
    const inputs = [given.query, given.key, given.value, given.kernel].map((x) => tensorOf(x));
    const [query, key, value, kernel] = inputs as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor2D];
    for (const dtype of ['bool', 'int32', 'float32'] as const) {
      const keyMask = tf.tensor(Array.from(given.keyMask.data), [2, 4], dtype);
      const output = form.run(() => aftConv1d(query, key, value, kernel, { keyMask }));
      await assertClose(dtype, output, expected.output, { relative: form.tolerance.forward });
    }
  });
});
