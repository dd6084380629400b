import {
  countDispatches,
  describeForms,
  expectNoLeak,
  hostileTolerance,
  runConformance,
  SeededRandom,
  type ShapedValues,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type AttentionOptions, scaledDotProductAttention } from './scaled-dot-product-attention';
import {
  type AttentionArguments,
  type AttentionSizes,
  agreesAttention,
  differentiateAttention,
  fusedBackends,
  randomAttention,
  runAttention,
} from './test-calls';

/** Odd sizes around the tiles of the kernels: panels of 4 and 8, stripes of 32 and 64, blocks of 32 and 128. */
const sizes: AttentionSizes[] = [
  { target: 1, headDim: 1 },
  { batch: 2, target: 2, headDim: 2 },
  { batch: 2, heads: 3, target: 7, headDim: 5, valueDim: 3 },
  { heads: 2, target: 9, headDim: 8 },
  { heads: 4, keyHeads: 2, target: 13, source: 29, headDim: 3, valueDim: 9 },
  { target: 5, source: 1, headDim: 4 },
  { target: 33, headDim: 16 },
  { target: 40, source: 7, headDim: 6 },
  { target: 65, source: 131, headDim: 33, valueDim: 34 },
  { target: 129, source: 127, headDim: 32 },
  { heads: 2, keyHeads: 1, target: 261, headDim: 3 },
];

describeForms('scaledDotProductAttention', { fused: fusedBackends }, (form) => {
  const isSlow = form.name === 'webgpu';
  // Composed on WebGPU every size is a dozen programs of tfjs.
  const isBrief = isSlow && form.form === 'composed';
  const shapes = isSlow ? (isBrief ? sizes.slice(2, 3) : [...sizes.slice(0, 7), sizes[8]!]) : sizes;

  for (const file of ['scaledDotProductAttention', 'attentionOptions']) {
    // Of the long causal case reductions of tfjs over its rows take a software GPU a quarter of a minute.
    const only = (attrs: Record<string, unknown>) => !isBrief || file === 'attentionOptions' || attrs.causal === false;
    runConformance(
      form,
      file,
      ({ query, key, value, mask, bias }, attrs) => {
        const options = { ...(attrs as AttentionOptions), mask, bias };
        return scaledDotProductAttention(query as tf.Tensor4D, key as tf.Tensor4D, value as tf.Tensor4D, options);
      },
      only,
    );
  }

  for (const causal of isBrief ? [true] : [false, true]) {
    test.each(shapes)(`agrees with the reference at %j, causal ${causal}`, async (shape) => {
      const { cotangent, ...given } = randomAttention(new SeededRandom(shape.target), shape, 2);
      await agreesAttention(form, given, cotangent, { causal });
    });

    test(`a source that is hidden may hold anything, causal ${causal}`, async () => {
      const random = new SeededRandom(4);
      const mask = random.mask([2, 1, 1, 9], 0.5);
      const { cotangent, ...clean } = randomAttention(random, { batch: 2, heads: 2, target: 9, headDim: 3 });
      const poison = ({ shape, data }: ShapedValues) => ({
        shape,
        data: Array.from(data, (x, i) => (mask.data[Math.floor(i / 54) * 9 + (Math.floor(i / 3) % 9)] === 0 ? Number.NaN : x)),
      });
      const poisoned = { ...clean, key: poison(clean.key), value: poison(clean.value), mask };
      const [a, b] = [{ ...clean, mask }, poisoned].map((given) => differentiateAttention(form, given, cotangent, { causal }));
      for (const name of ['output', 'dQuery', 'dKey', 'dValue'] as const) {
        const [expected, actual] = await Promise.all([a![name]!.data(), b![name]!.data()]);
        for (const [i, x] of expected.entries()) expect(actual[i]).toBeCloseTo(x, 5);
      }
    });

    if (isBrief) continue;

    test(`survives keys and biases to +-1e4, causal ${causal}`, async () => {
      const random = new SeededRandom(5);
      const { cotangent, ...given } = randomAttention(random, { target: 40, headDim: 4 });
      const key = random.uniforms([1, 1, 40, 4], -1e4, 1e4);
      const bias = random.uniforms([40, 40], -1e4, 1e4);
      await agreesAttention(form, { ...given, key }, cotangent, { causal }, hostileTolerance);
      await agreesAttention(form, { ...given, bias }, cotangent, { causal }, hostileTolerance);
    });

    test(`leaks nothing, causal ${causal}`, async () => {
      const random = new SeededRandom(6);
      const { cotangent, ...drawn } = randomAttention(random, { batch: 2, heads: 2, keyHeads: 1, target: 5, headDim: 3 });
      const given = { ...drawn, mask: random.mask([5, 5]), bias: random.normals([2, 5, 5]) };
      const options = { causal, dropout: { rate: 0.3, seed: 1 } };
      await expectNoLeak(() => tf.tidy(() => tf.dispose(runAttention(form, given, options))));
      await expectNoLeak(() => tf.tidy(() => tf.dispose(Object.values(differentiateAttention(form, given, cotangent, options)))));
    });
  }

  /** Masks and biases of every shape, dropout, key heads and scale, all at once. */
  const together: { name: string; mask?: number[]; bias?: number[]; options: object }[] = [
    { name: 'mask [t, s], bias [h, t, s], causal', mask: [11, 14], bias: [4, 11, 14], options: { causal: true } },
    {
      name: 'mask [b, 1, 1, s], bias [b, 1, t, s], dropout',
      mask: [3, 1, 1, 14],
      bias: [3, 1, 11, 14],
      options: { dropout: { rate: 0.4, seed: 7 } },
    },
    {
      name: 'mask [b, h, t, s], bias [t, s], causal, dropout, scale',
      mask: [3, 4, 11, 14],
      bias: [11, 14],
      options: { causal: true, scale: 1.3, dropout: { rate: 0.2, seed: 9 } },
    },
    { name: 'mask [h, t, s], bias [b, h, t, s]', mask: [4, 11, 14], bias: [3, 4, 11, 14], options: {} },
    { name: 'bias [1, h, 1, s], causal', bias: [1, 4, 1, 14], options: { causal: true } },
  ];
  test.each(isBrief ? together.slice(2, 3) : together)('options work together: $name', async ({ mask, bias, options }) => {
    const random = new SeededRandom(8);
    const sizes = { batch: 3, heads: 4, keyHeads: 2, target: 11, source: 14, headDim: 5, valueDim: 6 };
    const { cotangent, ...drawn } = randomAttention(random, sizes);
    const given: AttentionArguments = {
      ...drawn,
      mask: mask && random.mask(mask, 0.6),
      bias: bias && random.normals(bias),
    };
    // The first batch entry starts with nothing to attend to.
    given.mask?.data && (given.mask.data as Float64Array).fill(0, 0, 14);
    await agreesAttention(form, given, cotangent, options);
  });

  if (isBrief) return;

  test('keeps its promise for keys and biases up to 20', async () => {
    const random = new SeededRandom(8);
    const { cotangent, ...given } = randomAttention(random, { target: isSlow ? 40 : 150, headDim: 16 });
    const time = given.query.shape[2]!;
    const key = random.uniforms([1, 1, time, 16], -20, 20);
    const bias = random.uniforms([time, time], -20, 20);
    for (const causal of [false, true]) await agreesAttention(form, { ...given, key, bias }, cotangent, { causal });
  });

  test('a bias of -Infinity hides a pair as a mask does', async () => {
    const random = new SeededRandom(9);
    const { cotangent, ...given } = randomAttention(random, { heads: 2, target: 6, headDim: 3 });
    const mask = random.mask([6, 6], 0.5);
    mask.data.fill(0, 0, 6);
    const bias = { shape: [6, 6], data: Array.from(mask.data, (x) => (x ? 0 : isSlow ? -3e38 : Number.NEGATIVE_INFINITY)) };
    const [a, b] = [
      { ...given, mask },
      { ...given, bias },
    ].map((all) => differentiateAttention(form, all, cotangent));
    for (const name of ['output', 'dQuery', 'dKey', 'dValue'] as const) {
      expect(await b![name]!.data()).toEqual(await a![name]!.data());
    }
  });

  test('an empty batch, target, source or channel gives an empty result and empty gradients', async () => {
    for (const [batch, target, source, headDim, valueDim] of [
      [0, 3, 3, 2, 2],
      [2, 0, 4, 2, 2],
      [2, 3, 0, 2, 2],
      [2, 3, 3, 0, 2],
      [2, 3, 3, 2, 0],
    ] as const) {
      const { cotangent, ...given } = randomAttention(new SeededRandom(1), { batch, target, source, headDim, valueDim });
      const { output, dKey } = differentiateAttention(form, given, cotangent);
      expect(output.shape).toEqual([batch, 1, target, valueDim]);
      expect(Array.from(await output.data()).every((x) => x === 0)).toBe(true);
      expect(dKey!.shape).toEqual([batch, 1, source, headDim]);
    }
  });

  if (form.name === 'webgpu') {
    test('takes one dispatch forward and three backward, one more for a bias, of at most 8 buffers, the same bits on every run', async () => {
      const random = new SeededRandom(1);
      const { cotangent, ...plain } = randomAttention(random, { heads: 2, keyHeads: 1, target: 37, headDim: 5 });
      const full = { ...plain, mask: random.mask([37, 37]), bias: random.normals([2, 37, 37]) };
      const options = { causal: true, dropout: { rate: 0.1, seed: 2 } };
      const count = async (fn: () => unknown) => (await countDispatches(() => tf.tidy(() => void fn()))).dispatches;
      expect(await count(() => runAttention(form, plain))).toBe(1);
      expect(await count(() => differentiateAttention(form, plain, cotangent))).toBe(1 + 3);
      expect(await count(() => runAttention(form, full, options))).toBe(1);
      expect(await count(() => differentiateAttention(form, full, cotangent, options))).toBe(1 + 4);
      const work = await countDispatches(() => tf.tidy(() => void differentiateAttention(form, full, cotangent, options)));
      expect(work.mostBuffers).toBe(8);
      const [a, b] = [0, 1].map(() => differentiateAttention(form, full, cotangent, options) as Record<string, tf.Tensor>);
      for (const [name, tensor] of Object.entries(a!)) expect(await b![name]!.data()).toEqual(await tensor.data());
    });

    test('a causal target does not see what comes later, to the bit', async () => {
      const { query, key, value } = randomAttention(new SeededRandom(3), { heads: 2, target: 35, source: 39, headDim: 4 });
      const change = (x: ShapedValues) => ({
        shape: x.shape,
        data: Array.from(x.data, (n, i) => (Math.floor(i / 4) % 39 > 19 ? n + 1e4 : n)),
      });
      const before = await runAttention(form, { query, key, value }, { causal: true }).data();
      const after = await runAttention(form, { query, key: change(key), value: change(value) }, { causal: true }).data();
      for (const [i, x] of before.entries()) if (Math.floor(i / 4) % 35 <= 15) expect(after[i]).toBe(x);
    });
    return;
  }

  test('NaN reaches what depends on it and nothing else', async () => {
    const given = randomAttention(new SeededRandom(7), { target: 6, headDim: 2 });
    const spoil = ({ shape, data }: ShapedValues, at: number) => ({
      shape,
      data: Array.from(data, (x, i) => (i === at ? Number.NaN : x)),
    });
    const lostOf = async (tensor: tf.Tensor) => Array.from(await tensor.data()).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
    const lost = (changed: object, causal: boolean) => lostOf(runAttention(form, { ...given, ...changed }, { causal }));
    expect(await lost({ value: spoil(given.value, 4) }, true)).toEqual([4, 6, 8, 10]);
    expect(await lost({ value: spoil(given.value, 4) }, false)).toEqual([0, 2, 4, 6, 8, 10]);
    expect(await lost({ key: spoil(given.key, 7) }, true)).toEqual([6, 7, 8, 9, 10, 11]);
    expect(await lost({ query: spoil(given.query, 5) }, true)).toEqual([4, 5]);
    const gradients = (changed: object) =>
      differentiateAttention(form, { ...given, ...changed }, given.cotangent, { causal: true });
    const later = gradients({ key: spoil(given.key, 7), value: spoil(given.value, 6) });
    expect((await lostOf(later.dQuery!)).every((i) => i >= 6)).toBe(true);
    const { dKey, dValue } = gradients({ query: spoil(given.query, 5) });
    expect(await lostOf(dKey!)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await lostOf(dValue!)).toEqual([0, 1, 2, 3, 4, 5]);
  });
});
