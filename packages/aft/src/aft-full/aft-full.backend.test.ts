import {
  assertClose,
  describeForms,
  expectNoLeak,
  hostileTolerance,
  runConformance,
  SeededRandom,
  type ShapedValues,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import type { AftOptions } from '../aft-simple/aft-simple';
import type { PositionBias } from '../position-bias';
import type { QueryActivation } from '../query-activation';
import { aftFull } from './aft-full';
import { agreesFull, differentiateFull, type FullSizes, fusedBackends, randomFull, referenceFull, runFull } from './test-calls';

/** Odd sizes around the tiles of the kernels: rows of 4 and 32, keys of 128, channels of 4. */
const sizes: FullSizes[] = [
  [1, 1, 1, 1],
  [2, 2, 2, 2],
  [1, 3, 3, 4],
  [3, 7, 7, 5],
  [2, 31, 31, 3],
  [1, 33, 33, 8],
  [1, 65, 65, 2],
  [1, 127, 127, 5],
  [2, 129, 129, 1],
  [1, 261, 261, 2],
];

const crossed: FullSizes[] = [
  [2, 1, 5, 3],
  [1, 6, 1, 4],
  [2, 5, 8, 7],
  [1, 37, 131, 2],
  [1, 130, 33, 6],
];

describeForms('aftFull', { fused: fusedBackends }, (form) => {
  // Composed, an element costs a dozen passes over memory; its blocks are small anyway.
  const shapes = form.isSlow ? sizes.slice(1, 3) : form.form === 'composed' ? sizes.slice(0, 7) : sizes;
  for (const file of ['aftFull', 'aftFullCross', 'aftFullFactored', 'aftFullHostile', 'aftFullKeyMask']) {
    runConformance(form, file, ({ query, key, value, positionBias, u, v, ...masks }, attrs) => {
      const bias = (positionBias ?? { u, v }) as PositionBias;
      const options = { ...(attrs as AftOptions), ...masks };
      return aftFull(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, bias, options);
    });
  }

  for (const causal of [false, true]) {
    test.each(shapes)(`agrees with the reference at [%i, %i, %i, %i], causal ${causal}`, async (...shape) => {
      const random = new SeededRandom(shape[1]);
      const cotangent = random.normals([shape[0], shape[1], shape[3]]);
      await agreesFull(form, randomFull(random, shape, { spread: 2 }), cotangent, { causal });
    });

    const ranks: [number, FullSizes][] = [
      [1, [1, 5, 5, 2]],
      [65, [1, 6, 6, 3]],
      [3, [2, 33, 33, 4]],
      [9, [1, 130, 130, 3]],
    ];
    test.each(form.isSlow ? ranks.slice(0, 1) : ranks)(
      `agrees with the reference for factors of rank %i at %j, causal ${causal}`,
      async (rank, shape) => {
        const random = new SeededRandom(rank);
        const cotangent = random.normals([shape[0], shape[1], shape[3]]);
        await agreesFull(form, randomFull(random, shape, { spread: 2, rank }), cotangent, { causal });
      },
    );

    const gates: QueryActivation[] = ['sigmoid', null, 'linear', 'tanh', 'relu'];
    test.each(form.isSlow ? gates.slice(0, 1) : gates)(`gates by %s under a mask, causal ${causal}`, async (queryActivation) => {
      const random = new SeededRandom(3);
      const keyMask = random.mask([3, 19], 0.6);
      // The first batch starts with nothing to attend to, the second has nothing at all.
      keyMask.data.fill(0, 0, 4).fill(0, 19, 38);
      // Every program of WebGPU is compiled anew for an activation.
      for (const rank of form.name === 'webgpu' ? [0] : [0, 2]) {
        const given = { ...randomFull(random, [3, 19, 19, 5], { rank }), keyMask };
        await agreesFull(form, given, random.normals([3, 19, 5]), { causal, queryActivation });
      }
    });

    test(`a masked source may hold anything, causal ${causal}`, async () => {
      const random = new SeededRandom(4);
      const keyMask = random.mask([2, 9], 0.5);
      const clean = { ...randomFull(random, [2, 9, 9, 3]), keyMask };
      const poison = ({ shape, data }: ShapedValues) => ({
        shape,
        data: Array.from(data, (x, i) => (keyMask.data[Math.floor(i / 3)] === 0 ? Number.NaN : x)),
      });
      const poisoned = { ...clean, key: poison(clean.key), value: poison(clean.value) };
      const cotangent = random.normals([2, 9, 3]);
      const [a, b] = [clean, poisoned].map((given) => differentiateFull(form, given, cotangent, { causal }));
      for (const name of ['output', 'dQuery', 'dKey', 'dValue', 'dPositionBias'] as const) {
        expect(Array.from(await b![name]!.data())).toEqual(Array.from(await a![name]!.data()));
      }
    });

    test(`survives keys and biases to +-1e4, causal ${causal}`, async () => {
      const random = new SeededRandom(5);
      const given = {
        ...randomFull(random, [1, 40, 40, 5]),
        key: random.uniforms([1, 40, 5], -1e4, 1e4),
        positionBias: random.uniforms([40, 40], -1e4, 1e4),
        query: random.uniforms([1, 40, 5], -200, 200),
      };
      await agreesFull(form, given, random.normals([1, 40, 5]), { causal }, hostileTolerance);
    });

    test(`leaks nothing, causal ${causal}`, async () => {
      const random = new SeededRandom(6);
      for (const rank of [0, 2]) {
        const given = { ...randomFull(random, [2, 5, 5, 3], { rank }), keyMask: random.mask([2, 5]) };
        await expectNoLeak(() => tf.tidy(() => tf.dispose(runFull(form, given, { causal }))));
        await expectNoLeak(() =>
          tf.tidy(() => tf.dispose(Object.values(differentiateFull(form, given, random.normals([2, 5, 3]), { causal })))),
        );
      }
    });
  }

  test.each(form.form === 'composed' ? crossed.slice(0, 3) : crossed)(
    'agrees with the reference across sequences at [%i, %i, %i, %i]',
    async (...shape) => {
      const random = new SeededRandom(7);
      const [batch, target, source, dim] = shape;
      for (const rank of [0, 3]) {
        const given = { ...randomFull(random, shape, { spread: 2, rank }), keyMask: random.mask([batch, source], 0.8) };
        await agreesFull(form, given, random.normals([batch, target, dim]));
      }
    },
  );

  test('keeps its promise for keys and biases up to 20', async () => {
    const random = new SeededRandom(8);
    const [time, dim] = form.isSlow ? [40, 2] : [150, 3];
    for (const causal of [false, true]) {
      const given = {
        ...randomFull(random, [1, time, time, dim]),
        key: random.uniforms([1, time, dim], -20, 20),
        positionBias: random.uniforms([time, time], -20, 20),
      };
      await agreesFull(form, given, random.normals([1, time, dim]), { causal });
    }
  });

  test('slices a bias that is larger than the sequence', async () => {
    const random = new SeededRandom(9);
    const given = randomFull(random, [1, 4, 6, 3]);
    const table = tf.pad(tensorOf<tf.Tensor2D>(given.positionBias!), [
      [0, 2],
      [0, 3],
    ]);
    const cotangent = random.normals([1, 4, 3]);
    const [query, key, value] = [given.query, given.key, given.value].map((x) => tensorOf<tf.Tensor3D>(x)) as [
      tf.Tensor3D,
      tf.Tensor3D,
      tf.Tensor3D,
    ];
    const call = (bias: tf.Tensor) => aftFull(query, key, value, bias as tf.Tensor2D);
    const gradient = form.run(() => tf.grad(call)(table, tensorOf(cotangent)));
    const { dPositionBias } = referenceFull(given, cotangent);
    const data = new Float64Array(54);
    for (let i = 0; i < 24; i++) data[Math.floor(i / 6) * 9 + (i % 6)] = dPositionBias[i]!;
    await assertClose('dPositionBias', gradient, { shape: [6, 9], data }, { relative: form.tolerance.gradient });
  });

  test('an empty batch, time, channel or rank gives an empty result and empty gradients', async () => {
    for (const [batch, target, source, dim] of [
      [0, 3, 3, 2],
      [2, 0, 4, 2],
      [2, 3, 0, 2],
      [2, 3, 3, 0],
    ] as FullSizes[]) {
      const given = randomFull(new SeededRandom(1), [batch, target, source, dim]);
      const { output, dKey, dPositionBias } = differentiateFull(form, given, {
        shape: [batch, target, dim],
        data: new Array(batch * target * dim).fill(1),
      });
      expect(output.shape).toEqual([batch, target, dim]);
      expect(Array.from(await output.data()).every((x) => x === 0)).toBe(true);
      expect(dKey!.shape).toEqual([batch, source, dim]);
      expect(dPositionBias!.shape).toEqual([target, source]);
    }
  });

  if (form.name !== 'webgpu') {
    test('NaN reaches what depends on it and nothing else', async () => {
      const random = new SeededRandom(7);
      const given = randomFull(random, [1, 6, 6, 2]);
      const spoil = ({ shape, data }: ShapedValues, at: number) => ({
        shape,
        data: Array.from(data, (x, i) => (i === at ? Number.NaN : x)),
      });
      const lost = async (changed: object, causal: boolean) => {
        const output = await runFull(form, { ...given, ...changed }, { causal }).data();
        return Array.from(output).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
      };
      expect(await lost({ value: spoil(given.value, 4) }, true)).toEqual([4, 6, 8, 10]);
      expect(await lost({ key: spoil(given.key, 7) }, true)).toEqual([7, 9, 11]);
      expect(await lost({ key: spoil(given.key, 7) }, false)).toEqual([1, 3, 5, 7, 9, 11]);
      expect(await lost({ positionBias: spoil(given.positionBias!, 13) }, true)).toEqual([4, 5]);
      expect(await lost({ positionBias: spoil(given.positionBias!, 9) }, true)).toEqual([]);
    });
  }
});
