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
import type { QueryActivation } from '../query-activation';
import { type AftOptions, aftSimple } from './aft-simple';
import {
  differentiateSimple,
  fusedBackends,
  randomArguments,
  referenceSimple,
  runSimple,
  type SimpleArguments,
  type SimpleOptions,
} from './test-calls';

async function agreesWithReference(
  form: TestForm,
  given: SimpleArguments,
  cotangent: ShapedValues,
  options: SimpleOptions,
): Promise<void> {
  const expected = referenceSimple(given, cotangent, options);
  const actual = differentiateSimple(form, given, cotangent, options);
  await assertAgrees(actual, expected, { relative: form.tolerance });
}

const shapes = [
  [1, 1, 1],
  [2, 2, 3],
  [1, 3, 5],
  [3, 7, 4],
  [2, 13, 9],
  [1, 16, 6],
  [2, 17, 31],
  [1, 255, 3],
  [2, 256, 5],
  [1, 257, 6],
  [1, 521, 2],
];

describeForms('aftSimple', { fused: fusedBackends }, (form) => {
  for (const file of ['aftSimple', 'aftSimpleHostile', 'aftSimpleKeyMask', 'aftActivation']) {
    runConformance(form, file, ({ query, key, value, ...masks }, attrs) => {
      return aftSimple(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, { ...(attrs as AftOptions), ...masks });
    });
  }

  for (const causal of [false, true]) {
    test.each(form.isSlow ? shapes.filter((_, i) => i % 3 === 2) : shapes)(
      `agrees with the reference at [%i, %i, %i], causal ${causal}`,
      async (...shape) => {
        const random = new SeededRandom(shape[1]!);
        await agreesWithReference(form, randomArguments(random, shape, 3), random.normals(shape), { causal });
      },
    );

    test.each<QueryActivation>([null, 'linear', 'sigmoid', 'tanh', 'relu'])(
      `gates by %s under a mask, causal ${causal}`,
      async (queryActivation) => {
        const random = new SeededRandom(3);
        const shape = [3, 19, 5];
        const keyMask = random.mask([3, 19], 0.6);
        // The first batch starts with nothing to attend to, the second has nothing at all.
        keyMask.data.fill(0, 0, 4).fill(0, 19, 38);
        const given = { ...randomArguments(random, shape), keyMask };
        await agreesWithReference(form, given, random.normals(shape), { causal, queryActivation });
      },
    );

    test.each(['up to 20', 'of deviation 1'])(
      `keeps its promise over 8,192 steps with keys %s, causal ${causal}`,
      async (spread) => {
        const random = new SeededRandom(9);
        const shape = [1, 8192, 2];
        const key = spread === 'up to 20' ? random.uniforms(shape, -20, 20) : random.normals(shape);
        const given = { query: random.normals(shape), key, value: random.normals(shape) };
        const cotangent = random.normals(shape);
        const expected = longReference(given, cotangent, causal);
        const { output, dKey, dValue } = differentiateSimple(form, given, cotangent, { causal });
        await assertAgrees({ output, dKey, dValue }, expected, { relative: form.tolerance });
      },
    );

    test(`a masked source may hold anything, causal ${causal}`, async () => {
      const random = new SeededRandom(4);
      const shape = [2, 9, 3];
      const keyMask = random.mask([2, 9], 0.5);
      const clean = { ...randomArguments(random, shape), keyMask };
      const poison = ({ data }: ShapedValues) => ({
        shape,
        data: Array.from(data, (x, i) => (keyMask.data[Math.floor(i / 3)] === 0 ? Number.NaN : x)),
      });
      const poisoned = { ...clean, key: poison(clean.key), value: poison(clean.value) };
      const cotangent = random.normals(shape);
      const [a, b] = [clean, poisoned].map((given) => differentiateSimple(form, given, cotangent, { causal }));
      for (const name of ['output', 'dQuery', 'dKey', 'dValue'] as const) {
        expect(Array.from(await b![name].data())).toEqual(Array.from(await a![name].data()));
      }
    });

    test(`survives extreme numbers, causal ${causal}`, async () => {
      const random = new SeededRandom(5);
      const shape = [1, 40, 4];
      const key = random.uniforms(shape, -1e4, 1e4);
      const query = random.uniforms(shape, -200, 200);
      const given = { query, key, value: random.normals(shape) };
      const cotangent = random.normals(shape);
      const expected = referenceSimple(given, cotangent, { causal });
      const actual = differentiateSimple(form, given, cotangent, { causal });
      await assertClose('output', actual.output, expected.output, { largest: hostileTolerance.forward });
      for (const name of ['dQuery', 'dKey', 'dValue'] as const) {
        await assertClose(name, actual[name], expected[name], { largest: hostileTolerance.gradient });
      }
    });

    test(`leaks nothing, causal ${causal}`, async () => {
      const random = new SeededRandom(6);
      const shape = [2, 5, 3];
      const given = { ...randomArguments(random, shape), keyMask: random.mask([2, 5]) };
      await expectNoLeak(() => tf.tidy(() => tf.dispose(runSimple(form, given, { causal }))));
      await expectNoLeak(() =>
        tf.tidy(() => tf.dispose(Object.values(differentiateSimple(form, given, tensorValues(shape), { causal })))),
      );
    });

    test(`an empty batch or time gives an empty result and empty gradients, causal ${causal}`, async () => {
      for (const shape of [
        [0, 3, 2],
        [2, 0, 2],
        [2, 3, 0],
      ]) {
        const empty = { shape, data: [] };
        const actual = differentiateSimple(form, { query: empty, key: empty, value: empty }, empty, { causal });
        for (const tensor of Object.values(actual)) expect(tensor.shape).toEqual(shape);
      }
    });
  }

  if (form.name !== 'webgpu') {
    test('NaN reaches what depends on it and nothing else', async () => {
      const random = new SeededRandom(7);
      const given = randomArguments(random, [1, 6, 2]);
      const value = { shape: [1, 6, 2], data: Array.from(given.value.data, (x, i) => (i === 4 ? Number.NaN : x)) };
      const key = { shape: [1, 6, 2], data: Array.from(given.key.data, (x, i) => (i === 7 ? Number.NaN : x)) };
      const lost = async (changed: Partial<SimpleArguments>) => {
        const output = await runSimple(form, { ...given, ...changed }, { causal: true }).data();
        return Array.from(output).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
      };
      expect(await lost({ value })).toEqual([4, 6, 8, 10]);
      expect(await lost({ key })).toEqual([7, 9, 11]);
    });
  }

  test('takes masks of every type', async () => {
    const random = new SeededRandom(8);
    const given = { ...randomArguments(random, [2, 4, 3]), keyMask: random.mask([2, 4]) };
    const expected = referenceSimple(given);
    const [query, key, value] = [given.query, given.key, given.value].map((x) => tensorOf<tf.Tensor3D>(x)) as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    for (const dtype of ['bool', 'int32', 'float32'] as const) {
      const keyMask = tf.tensor(Array.from(given.keyMask.data), [2, 4], dtype);
      await expectNoLeak(() => form.run(() => aftSimple(query, key, value, { keyMask })).dispose());
      const output = form.run(() => aftSimple(query, key, value, { keyMask }));
      await assertClose(dtype, output, expected.output, { relative: form.tolerance.forward });
    }
  });
});

const tensorValues = (shape: readonly number[]): ShapedValues => ({
  shape,
  data: new Array(shape.reduce((a, b) => a * b, 1)).fill(1),
});

/** AFT-simple in O(time) by running float64 sums; enough for keys up to 20. */
function longReference({ query, key, value }: SimpleArguments, cotangent: ShapedValues, causal: boolean) {
  const [, time, dim] = query.shape as [number, number, number];
  const size = time * dim;
  const [output, dKey, dValue] = [0, 0, 0].map(() => new Float64Array(size)) as [Float64Array, Float64Array, Float64Array];
  const gate = (i: number) => 1 / (1 + Math.exp(-query.data[i]!));
  for (let c = 0; c < dim; c++) {
    let [numerator, total] = [0, 0];
    const sums = Array.from({ length: time }, (_, t) => {
      const weight = Math.exp(key.data[t * dim + c]!);
      numerator += weight * value.data[t * dim + c]!;
      total += weight;
      return [numerator, total] as const;
    });
    let [received, weighed] = [0, 0];
    const context = (t: number) => sums[causal ? t : time - 1]!;
    for (let t = time - 1; t >= 0; t--) {
      const i = t * dim + c;
      const [n, d] = context(t);
      output[i] = gate(i) * (n / d);
      received += (cotangent.data[i]! * gate(i)) / d;
      weighed += ((cotangent.data[i]! * gate(i)) / d) * (n / d);
      dValue[i] = Math.exp(key.data[i]!) * received;
      dKey[i] = Math.exp(key.data[i]!) * (value.data[i]! * received - weighed);
    }
    if (causal) continue;
    for (let t = 0; t < time; t++) {
      const i = t * dim + c;
      dValue[i] = Math.exp(key.data[i]!) * received;
      dKey[i] = Math.exp(key.data[i]!) * (value.data[i]! * received - weighed);
    }
  }
  return { output, dKey, dValue };
}
