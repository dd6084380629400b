import {
  assertAgrees,
  assertClose,
  describeForms,
  expectNoLeak,
  runConformance,
  SeededRandom,
  type ShapedValues,
  type TestForm,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftSimple } from '../aft-simple/aft-simple';
import type { QueryActivation } from '../query-activation';
import { type AftLocalOptions, aftLocal } from './aft-local';
import {
  type BiasKind,
  biasKinds,
  biasOf,
  differentiateLocal,
  fusedBackends,
  type LocalArguments,
  type LocalOptions,
  randomArguments,
  referenceLocal,
  runLocal,
} from './test-calls';

async function agreesWithReference(form: TestForm, given: LocalArguments, cotangent: ShapedValues, options: LocalOptions) {
  const expected = referenceLocal(given, cotangent, options);
  const actual = differentiateLocal(form, given, cotangent, options);
  const flat = <T>({ dBias, ...others }: T & { dBias: object }) => ({ ...others, ...dBias });
  await assertAgrees(flat(actual), flat(expected), { relative: form.tolerance });
}

/** Shape and window. */
const sizes: [number, number, number, number][] = [
  [1, 1, 1, 1],
  [2, 2, 3, 2],
  [3, 7, 4, 1],
  [2, 13, 9, 20],
  [1, 16, 6, 5],
  [2, 17, 31, 3],
  [1, 63, 3, 7],
  [1, 64, 2, 33],
  [2, 65, 5, 65],
  [1, 131, 2, 4],
];

describeForms('aftLocal', { fused: fusedBackends }, (form) => {
  for (const file of ['aftLocal', 'aftLocalHostile', 'aftLocalKeyMask']) {
    runConformance(form, file, ({ query, key, value, keyMask, ...bias }, attrs) => {
      const options = { ...(attrs as unknown as AftLocalOptions), keyMask };
      return aftLocal(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, biasOf(bias), options);
    });
  }

  for (const causal of [false, true]) {
    const cases = (form.isSlow ? sizes.slice(1, 4) : sizes).map(
      (size, i) => [...size, biasKinds[(i + Number(causal)) % 3]!] as const,
    );
    test.each(cases)(
      `agrees with the reference at [%i, %i, %i], window %i, %s, causal ${causal}`,
      async (batch, time, dim, windowSize, kind) => {
        const random = new SeededRandom(time);
        const shape = [batch, time, dim] as const;
        const given = randomArguments(random, shape, { kind, windowSize, spread: 2 });
        await agreesWithReference(form, given, random.normals(shape), { causal, windowSize });
      },
    );

    test.each(['dense', 'factored'] as const)(`without a window is AFT-simple, %s, causal ${causal}`, async (kind) => {
      const random = new SeededRandom(2);
      const shape = [2, 9, 5] as const;
      const given = randomArguments(random, shape, { kind, windowSize: 0 });
      await agreesWithReference(form, given, random.normals(shape), { causal, windowSize: 0 });
      const [query, key, value] = [given.query, given.key, given.value].map((x) => tensorOf<tf.Tensor3D>(x)) as [
        tf.Tensor3D,
        tf.Tensor3D,
        tf.Tensor3D,
      ];
      const band = tf.zeros<tf.Rank.R2>([9, 0]);
      const output = form.run(() => aftLocal(query, key, value, { band }, { windowSize: 0, causal }));
      const simple = form.run(() => aftSimple(query, key, value, { causal }));
      await assertClose('output', output, { shape, data: await simple.data() }, { relative: form.tolerance.forward });
    });

    const gates: [QueryActivation, BiasKind][] = [
      [null, 'dense'],
      ['linear', 'factored'],
      ['sigmoid', 'banded'],
      ['tanh', 'dense'],
      ['relu', 'factored'],
    ];
    test.each(form.isSlow ? gates.slice(2, 3) : gates)(
      `gates by %s under a mask, %s, causal ${causal}`,
      async (queryActivation, kind) => {
        const random = new SeededRandom(3);
        const shape = [3, 19, 5] as const;
        const keyMask = random.mask([3, 19], 0.6);
        // The first batch starts with nothing to attend to, the second has nothing at all.
        keyMask.data.fill(0, 0, 4).fill(0, 19, 38);
        const given = { ...randomArguments(random, shape, { kind, windowSize: 4 }), keyMask };
        await agreesWithReference(form, given, random.normals(shape), { causal, queryActivation, windowSize: 4 });
      },
    );

    const time = form.isSlow ? 64 : 2048;
    test(`keeps its promise over ${time} steps with keys and biases up to 20, causal ${causal}`, async () => {
      const random = new SeededRandom(9);
      const shape = [1, time, 1] as const;
      const given = {
        query: random.normals(shape),
        key: random.uniforms(shape, -20, 20),
        value: random.normals(shape),
        bias: { band: random.uniforms([time, 9], -20, 20) },
      };
      await agreesWithReference(form, given, random.normals(shape), { causal, windowSize: 5 });
    });

    test(`a masked source may hold anything, causal ${causal}`, async () => {
      const random = new SeededRandom(4);
      const shape = [2, 9, 3] as const;
      const keyMask = random.mask([2, 9], 0.5);
      const clean = { ...randomArguments(random, shape, { windowSize: 3 }), keyMask };
      const poison = ({ data }: ShapedValues) => ({
        shape,
        data: Array.from(data, (x, i) => (keyMask.data[Math.floor(i / 3)] === 0 ? Number.NaN : x)),
      });
      const poisoned = { ...clean, key: poison(clean.key), value: poison(clean.value) };
      const cotangent = random.normals(shape);
      const [a, b] = [clean, poisoned].map((given) => differentiateLocal(form, given, cotangent, { causal, windowSize: 3 }));
      for (const name of ['output', 'dQuery', 'dKey', 'dValue'] as const) {
        expect(Array.from(await b![name].data())).toEqual(Array.from(await a![name].data()));
      }
      expect(await b!.dBias.positionBias!.data()).toEqual(await a!.dBias.positionBias!.data());
    });

    test(`what a bias has beyond the sequence and the window is not read, and has gradient 0, causal ${causal}`, async () => {
      const random = new SeededRandom(5);
      const shape = [2, 7, 3] as const;
      const [rows, columns, windowSize] = [9, 12, 3];
      const table = random.normals([rows, columns]);
      const isRead = (i: number) => {
        const [t, j] = [Math.floor(i / columns), i % columns];
        return t < 7 && j < 7 && Math.abs(t - j) < windowSize && !(causal && j > t);
      };
      const positionBias = { shape: table.shape, data: table.data.map((x, i) => (isRead(i) ? x : Number.NaN)) };
      const given = { ...randomArguments(random, shape, { windowSize }), bias: { positionBias } };
      const { output, dBias } = differentiateLocal(form, given, random.normals(shape), { causal, windowSize });
      const expected = referenceLocal({ ...given, bias: { positionBias: table } }, undefined, { causal, windowSize });
      await assertClose('output', output, expected.output, { relative: form.tolerance.forward });
      const gradient = await dBias.positionBias!.data();
      expect(Array.from(gradient).filter((x, i) => x !== 0 && !isRead(i))).toEqual([]);
      expect(gradient.some((x) => x !== 0)).toBe(true);
    });

    test(`leaks nothing, causal ${causal}`, async () => {
      const random = new SeededRandom(6);
      const shape = [2, 5, 3] as const;
      const given = { ...randomArguments(random, shape, { windowSize: 2, kind: 'factored' }), keyMask: random.mask([2, 5]) };
      const cotangent = random.normals(shape);
      const options = { causal, windowSize: 2 };
      await expectNoLeak(() => tf.tidy(() => tf.dispose(runLocal(form, given, options))));
      await expectNoLeak(() => tf.tidy(() => void differentiateLocal(form, given, cotangent, options)));
    });
  }

  test('an empty batch, time or dim gives an empty result and empty gradients', async () => {
    for (const shape of [
      [0, 3, 2],
      [2, 0, 2],
      [2, 3, 0],
    ] as const) {
      const empty = { shape, data: [] };
      const bias = { positionBias: { shape: [4, 4], data: new Array(16).fill(1) } };
      const actual = differentiateLocal(form, { query: empty, key: empty, value: empty, bias }, empty, { windowSize: 2 });
      for (const name of ['output', 'dQuery', 'dKey', 'dValue'] as const) expect(actual[name].shape).toEqual(shape);
      expect(Array.from(await actual.dBias.positionBias!.data())).toEqual(new Array(16).fill(0));
    }
  });

  if (form.name !== 'webgpu') {
    test('NaN reaches what depends on it and nothing else', async () => {
      const random = new SeededRandom(7);
      const given = randomArguments(random, [1, 9, 2], { windowSize: 3 });
      const spoil = ({ shape, data }: ShapedValues, at: number) => ({
        shape,
        data: Array.from(data, (x, i) => (i === at ? Number.NaN : x)),
      });
      const lost = async (changed: Partial<LocalArguments>) => {
        const output = await runLocal(form, { ...given, ...changed }, { causal: true, windowSize: 3 }).data();
        return Array.from(output).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
      };
      expect(await lost({ value: spoil(given.value, 4) })).toEqual([4, 6, 8, 10, 12, 14, 16]);
      expect(await lost({ key: spoil(given.key, 9) })).toEqual([9, 11, 13, 15, 17]);
      // Row 4, column 3: both channels of target 4 alone.
      expect(await lost({ bias: { positionBias: spoil(given.bias.positionBias!, 4 * 9 + 3) } })).toEqual([8, 9]);
    });
  }
});
