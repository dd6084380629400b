import {
  assertAgrees,
  describeForms,
  expectNoLeak,
  hostileTolerance,
  runConformance,
  SeededRandom,
  type ShapedValues,
  type TestForm,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aftConv1d } from '../aft-conv-1d/aft-conv-1d';
import type { QueryActivation } from '../query-activation';
import { aftConv2d } from './aft-conv-2d';
import {
  type Conv2dArguments,
  type Conv2dOptions,
  type Conv2dShape,
  differentiateConv2d,
  randomArguments,
  referenceConv2d,
  results,
} from './test-calls';

async function agreesWithReference(
  form: TestForm,
  given: Conv2dArguments,
  cotangent: ShapedValues,
  { hostile = false, ...options }: Conv2dOptions & { hostile?: boolean } = {},
): Promise<void> {
  const expected = referenceConv2d(given, cotangent, options);
  const actual = differentiateConv2d(form, given, cotangent, options);
  await assertAgrees(actual, expected, hostile ? { largest: hostileTolerance } : { relative: form.tolerance });
}

/** Grids and windows that are not square, windows larger than the grid, even ones, one head and one per channel. */
const shapes: Conv2dShape[] = [
  [1, 1, 1, 1, 1, 1, 1],
  [2, 1, 7, 3, 3, 1, 4],
  [1, 6, 1, 4, 2, 3, 2],
  [2, 5, 3, 6, 2, 2, 3],
  [1, 4, 7, 9, 9, 3, 1],
  [1, 3, 5, 4, 1, 7, 11],
  [1, 7, 6, 66, 33, 4, 5],
  [1, 2, 19, 70, 1, 1, 3],
  [1, 5, 18, 2, 2, 3, 3],
];

const gridCall = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  height: fc.integer({ min: 1, max: 6 }),
  width: fc.integer({ min: 1, max: 7 }),
  heads: fc.integer({ min: 1, max: 3 }),
  headDim: fc.integer({ min: 1, max: 3 }),
  windowHeight: fc.integer({ min: 1, max: 5 }),
  windowWidth: fc.integer({ min: 1, max: 5 }),
});

const map = (values: ShapedValues, f: (x: number, i: number) => number): ShapedValues => ({
  shape: values.shape,
  data: Array.from(values.data, f).map(Math.fround),
});

const extremes: Record<string, (random: SeededRandom, given: Conv2dArguments) => Partial<Conv2dArguments>> = {
  'keys to 1e4': (random, { key }) => ({ key: random.uniforms(key.shape, -1e4, 1e4) }),
  'keys and kernel to 1e4': (random, { key, kernel }) => ({
    key: random.uniforms(key.shape, -1e4, 1e4),
    kernel: random.uniforms(kernel.shape, -1e4, 1e4),
  }),
  'a kernel from -40 to 20': (random, { kernel }) => ({ kernel: random.uniforms(kernel.shape, -40, 20) }),
  'a kernel of -40 and one dominant key': (random, { key, kernel }) => {
    const [, height, width, heads] = key.shape as [number, number, number, number];
    const dominant = random.integer(height * width);
    return {
      key: map(key, (x, i) => (Math.floor(i / heads) === dominant ? 30 : x)),
      kernel: map(kernel, () => -40),
    };
  },
};

describeForms('aftConv2d', { fused: ['wasm', 'webgpu'] }, (form) => {
  for (const file of ['aftConv2d', 'aftConv2dHostile']) {
    runConformance(form, file, ({ query, key, value, kernel, ...masks }) =>
      aftConv2d(query as tf.Tensor4D, key as tf.Tensor4D, value as tf.Tensor4D, kernel as tf.Tensor3D, masks),
    );
  }

  test.each(form.isSlow ? shapes.slice(0, 5) : shapes)(
    'agrees with the reference at [%i, %i, %i, %i], %i heads, window %i x %i',
    async (...shape) => {
      const random = new SeededRandom(shape[1] + shape[2]);
      await agreesWithReference(form, randomArguments(random, shape, 2), random.normals(shape.slice(0, 4)));
    },
  );

  test.each<QueryActivation>([null, 'linear', 'tanh'])('gates by %s under a mask', async (queryActivation) => {
    const random = new SeededRandom(3);
    const keyMask = random.mask([3, 4, 5], 0.6);
    keyMask.data.fill(0, 20, 40);
    const given = { ...randomArguments(random, [3, 4, 5, 6, 2, 3, 2]), keyMask };
    await agreesWithReference(form, given, random.normals([3, 4, 5, 6]), { queryActivation });
  });

  test('a masked source may hold anything', async () => {
    const random = new SeededRandom(4);
    const keyMask = random.mask([2, 3, 4], 0.5);
    const clean = { ...randomArguments(random, [2, 3, 4, 4, 2, 3, 2]), keyMask };
    const poison = (x: ShapedValues) =>
      map(x, (value, i) => (keyMask.data[Math.floor(i / x.shape[3]!)] === 0 ? Number.NaN : value));
    const cotangent = random.normals([2, 3, 4, 4]);
    const poisoned = { ...clean, key: poison(clean.key), value: poison(clean.value) };
    const [a, b] = [clean, poisoned].map((given) => differentiateConv2d(form, given, cotangent));
    for (const name of results) expect(Array.from(await b![name].data())).toEqual(Array.from(await a![name].data()));
  });

  test.each(Object.keys(extremes))('has the right rows for %s', async (kind) => {
    const property = fc.asyncProperty(gridCall, async ({ seed, height, width, heads, headDim, windowHeight, windowWidth }) => {
      const random = new SeededRandom(seed);
      const drawn = randomArguments(random, [1, height, width, heads * headDim, heads, windowHeight, windowWidth]);
      const given = { ...drawn, ...extremes[kind]!(random, drawn) };
      await agreesWithReference(form, given, random.uniforms(given.query.shape, -1, 1), { hostile: true });
    });
    await fc.assert(property, { numRuns: form.isSlow ? 1 : form.name === 'webgpu' ? 2 : 6, seed: 42 });
  });

  test('on a line it is aftConv1d', async () => {
    const random = new SeededRandom(5);
    const given = randomArguments(random, [2, 1, 9, 4, 2, 1, 3]);
    const line = ({ data, shape: [a, , c, d] }: ShapedValues) => tf.tensor3d(Float32Array.from(data), [a!, c!, d!]);
    const kernel = tf.tensor2d(Float32Array.from(given.kernel.data), [2, 3]);
    const expected = form.run(() => aftConv1d(line(given.query), line(given.key), line(given.value), kernel));
    const { output } = differentiateConv2d(form, given, random.normals([2, 1, 9, 4]));
    expect(Array.from(await output.data())).toEqual(Array.from(await expected.data()));
  });

  test('a kernel trained at one size runs at another', async () => {
    const random = new SeededRandom(6);
    const { kernel } = randomArguments(random, [1, 4, 4, 4, 2, 3, 3]);
    for (const [height, width] of [
      [4, 4],
      [6, 7],
    ] as const) {
      const given = { ...randomArguments(random, [1, height, width, 4, 2, 3, 3]), kernel };
      await agreesWithReference(form, given, random.normals([1, height, width, 4]));
    }
  });

  test('leaks nothing, and takes empty grids', async () => {
    const random = new SeededRandom(6);
    const given = { ...randomArguments(random, [1, 3, 4, 4, 2, 3, 2]), keyMask: random.mask([1, 3, 4]) };
    const cotangent = random.normals([1, 3, 4, 4]);
    await expectNoLeak(() => tf.tidy(() => tf.dispose(Object.values(differentiateConv2d(form, given, cotangent)))));
    const empty = differentiateConv2d(form, randomArguments(random, [1, 0, 4, 4, 2, 3, 2]), random.normals([1, 0, 4, 4]));
    expect([empty.output.shape, empty.dKernel.shape]).toEqual([
      [1, 0, 4, 4],
      [2, 3, 2],
    ]);
  });

  test('refuses what does not fit', () => {
    const ones = <T extends tf.Tensor>(...shape: number[]): T => tf.ones(shape) as T;
    const [q, k, w] = [ones<tf.Tensor4D>(1, 3, 4, 6), ones<tf.Tensor4D>(1, 3, 4, 2), ones<tf.Tensor3D>(2, 3, 3)];
    expect(() => aftConv2d(q, k, q, w, { causal: true } as never)).toThrow(
      'aftConv2d: option causal cannot be true: a grid has no order; flatten it to a line and use aftConv1d',
    );
    expect(() => aftConv2d(q, ones(1, 3, 4, 4), q, ones(4, 3, 3))).toThrow('aftConv2d: heads must divide dim, got 4 heads');
    expect(() => aftConv2d(q, k, q, ones(2, 3) as never)).toThrow(
      'aftConv2d: kernel must have 3 axes [heads windowHeight windowWidth], got 2',
    );
    expect(() => aftConv2d(q, k, ones(1, 4, 3, 6), w)).toThrow("aftConv2d: axis 'height' is 3 in query but 4 in value");
    expect(() => aftConv2d(q, k, q, w, { keyMask: ones(1, 12) })).toThrow(
      'aftConv2d: keyMask must have 3 axes [batch height width], got 2',
    );
    expect(() => aftConv2d(q, k, q, w, { window: 3 } as never)).toThrow("aftConv2d: unknown option 'window'");
  });
});
