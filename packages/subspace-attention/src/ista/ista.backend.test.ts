import {
  assertClose,
  countDispatches,
  describeForms,
  expectNoLeak,
  hostileTolerance,
  numericalGradient,
  runConformance,
  SeededRandom,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { type IstaOptions, ista } from './ista';
import { istaGradientReference, istaReference } from './reference';

/** Batch, tokens, dim; with fewer tokens than dim, and with more, of widths that 4 divides and that it does not. */
const sizes: [batch: number, time: number, dim: number][] = [
  [1, 1, 1],
  [2, 3, 2],
  [1, 5, 7],
  [3, 4, 17],
  [1, 3, 8],
  [2, 19, 8],
  [1, 33, 31],
  // Sums over tokens are split in parts on WebGPU.
  [1, 300, 5],
];

describeForms('ista', { fused: ['wasm', 'webgpu'] }, (form) => {
  const isBrief = form.isSlow;
  runConformance(form, 'ista', ({ tokens, dictionary }, attrs) =>
    ista(tokens as tf.Tensor3D, dictionary as tf.Tensor2D, attrs as IstaOptions),
  );

  test.each(isBrief ? sizes.slice(2, 3) : sizes)('agrees with the reference at [%i, %i, %i]', async (batch, time, dim) => {
    const random = new SeededRandom(dim + 20);
    const [tokens, cotangent] = [random.normals([batch, time, dim]), random.normals([batch, time, dim])];
    const dictionary = random.normals([dim, dim]);
    const options = { stepSize: 0.3, threshold: -0.2 };
    const given = { tokens: tokens.data, dictionary: dictionary.data, dim, ...options };
    const call = (x: tf.Tensor, d: tf.Tensor) => ista(x as tf.Tensor3D, d as tf.Tensor2D, options) as tf.Tensor;
    const { value, grads } = form.run(() =>
      tf.valueAndGrads(call)([tensorOf(tokens), tensorOf(dictionary)], tensorOf(cotangent)),
    );
    await assertClose('output', value, istaReference(given), { relative: form.tolerance.forward, rmsFloor: 1 });
    const expected = istaGradientReference(given, cotangent.data);
    const rmsFloor = Math.sqrt(dim);
    await assertClose('dTokens', grads[0]!, expected.tokens, { relative: form.tolerance.gradient, rmsFloor });
    await assertClose('dDictionary', grads[1]!, expected.dictionary, { relative: form.tolerance.gradient, rmsFloor });
  });

  test('with a dictionary of unit vectors in any order a step moves a code towards that of another channel', async () => {
    const random = new SeededRandom(6);
    const dim = 5;
    const order = [3, 0, 4, 1, 2];
    const dictionary = tf.tensor2d(order.map((column) => Array.from({ length: dim }, (_, i) => Number(i === column))));
    for (const time of isBrief ? [3] : [3, 8]) {
      const tokens = random.normals([1, time, dim]);
      const codes = form.run(() => ista(tensorOf(tokens) as tf.Tensor3D, dictionary, { stepSize: 0.25, threshold: 0.4 }));
      const expected = Array.from(tokens.data, (x, i) => {
        const row = i - (i % dim);
        const moved = tokens.data[row + order.indexOf(i % dim)]!;
        return Math.max(0, 0.75 * x + 0.25 * moved - 0.1);
      });
      await assertClose('codes', codes, { shape: [1, time, dim], data: expected }, { relative: form.tolerance.forward });
    }
  });

  test('survives tokens to +-1e4, and an infinite gradient at a code of 0', async () => {
    const random = new SeededRandom(9);
    for (const time of isBrief ? [3] : [3, 9]) {
      const tokens = random.uniforms([1, time, 6], -1e4, 1e4);
      const dictionary = random.normals([6, 6]);
      const cotangent = random.normals([1, time, 6]);
      const given = { tokens: tokens.data, dictionary: dictionary.data, dim: 6 };
      const output = istaReference(given);
      const call = (x: tf.Tensor, d: tf.Tensor) => ista(x as tf.Tensor3D, d as tf.Tensor2D) as tf.Tensor;
      const arriving = Array.from(cotangent.data, (x, i) => (output[i]! > 0 ? x : form.name === 'webgpu' ? 3e38 : Infinity));
      const { value, grads } = form.run(() =>
        tf.valueAndGrads(call)([tensorOf(tokens), tensorOf(dictionary)], tf.tensor(arriving, cotangent.shape as number[])),
      );
      await assertClose('output', value, output, { largest: hostileTolerance.forward });
      const expected = istaGradientReference(given, cotangent.data);
      await assertClose('dTokens', grads[0]!, expected.tokens, { largest: hostileTolerance.gradient });
      await assertClose('dDictionary', grads[1]!, expected.dictionary, { largest: hostileTolerance.gradient });
    }
  });

  test('codes are never below 0, and a large threshold leaves none', async () => {
    const random = new SeededRandom(4);
    const [tokens, dictionary] = [tensorOf(random.normals([1, 9, 6])), tensorOf(random.normals([6, 6]))];
    const at = (threshold: number) =>
      form.run(() => ista(tokens as tf.Tensor3D, dictionary as tf.Tensor2D, { threshold })).data();
    expect((await at(0.1)).every((x) => x >= 0)).toBe(true);
    expect((await at(1e4)).every((x) => x === 0)).toBe(true);
  });

  test('an empty batch, sequence or width gives an empty result and gradients', async () => {
    for (const shape of [
      [0, 3, 2],
      [2, 0, 2],
      [2, 3, 0],
    ] as [number, number, number][]) {
      const [x, d] = [tf.ones(shape), tf.ones([shape[2]!, shape[2]!])];
      const call = (a: tf.Tensor, b: tf.Tensor) => ista(a as tf.Tensor3D, b as tf.Tensor2D);
      const { value, grads } = form.run(() => tf.valueAndGrads(call)([x, d], tf.ones(shape)));
      expect([value.shape, grads[0]!.shape, grads[1]!.shape]).toEqual([shape, shape, d.shape]);
      expect((await grads[1]!.data()).every((value) => value === 0)).toBe(true);
    }
  });

  test('leaks nothing', async () => {
    const call = (a: tf.Tensor, b: tf.Tensor) => ista(a as tf.Tensor3D, b as tf.Tensor2D);
    for (const time of isBrief ? [3] : [1, 3]) {
      const [x, d] = [tf.ones([2, time, 4]), tf.ones([4, 4])];
      await expectNoLeak(() => form.run(() => ista(x as tf.Tensor3D, d as tf.Tensor2D)).dispose());
      await expectNoLeak(() => tf.tidy(() => tf.dispose(form.run(() => tf.valueAndGrads(call)([x, d])) as never)));
    }
  });

  if (form.name === 'webgpu' && form.form === 'fused') {
    test('takes two dispatches forward and four backward', async () => {
      const d = tf.ones([8, 8]);
      const call = (a: tf.Tensor, b: tf.Tensor) => ista(a as tf.Tensor3D, b as tf.Tensor2D) as tf.Tensor;
      const count = async (fn: () => unknown) => (await countDispatches(() => tf.tidy(() => void form.run(fn)))).dispatches;
      for (const time of [10, 1]) {
        const x = tf.ones([2, time, 8]);
        const arriving = tf.ones(x.shape);
        expect(await count(() => call(x, d))).toBe(2);
        expect(await count(() => tf.valueAndGrads(call)([x, d], arriving))).toBe(2 + 4);
        // Of tokens alone.
        expect(await count(() => tf.grad((a: tf.Tensor) => call(a, d))(x, arriving))).toBe(2 + 2);
      }
    });
  }

  test('names what it refuses', () => {
    const run = (...args: unknown[]) => form.run(() => (ista as (...all: unknown[]) => tf.Tensor)(...args));
    const x = tf.ones([2, 3, 4]);
    expect(() => run(x, tf.ones([4, 5]))).toThrow("ista: axis 'dim' is 4 in tokens but 5 in dictionary");
    expect(() => run(x, tf.ones([3, 3]))).toThrow("ista: axis 'dim' is 4 in tokens but 3 in dictionary");
    expect(() => run(x, tf.ones([4, 4]), { step: 1 })).toThrow(
      "ista: unknown option 'step'; the options are stepSize, threshold",
    );
    expect(() => run(x, tf.ones([4, 4]), { threshold: Number.NaN })).toThrow('ista: option threshold must be a finite number');
  });
});

describe('the reference of ista', () => {
  test('has the gradients that differences have', async () => {
    const random = new SeededRandom(3);
    const [tokens, dictionary, cotangent] = [random.normals([5, 4]), random.normals([4, 4]), random.normals([5, 4])];
    const given = { tokens: tokens.data, dictionary: dictionary.data };
    const options = { dim: 4, stepSize: 0.3, threshold: -0.2 };
    const expected = numericalGradient((x) => istaReference({ ...(x as typeof given), ...options }), given, {
      cotangent: cotangent.data,
    });
    const made = istaGradientReference({ ...given, ...options }, cotangent.data);
    await assertClose('tokens', made.tokens, expected.tokens!, { relative: 1e-8 });
    await assertClose('dictionary', made.dictionary, expected.dictionary!, { relative: 1e-8 });
  });
});
