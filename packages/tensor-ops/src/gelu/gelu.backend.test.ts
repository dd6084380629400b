import {
  assertClose,
  describeForms,
  expectNoLeak,
  hostileTolerance,
  numericalGradient,
  SeededRandom,
  type ShapedValues,
  type TestForm,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { type GeluApproximation, gelu } from './gelu';
import { geluReference, geluSlopeReference, normalBelow } from './reference';

function differentiate(form: TestForm, x: ShapedValues, cotangent: ShapedValues, approximate: GeluApproximation) {
  const call = (each: tf.Tensor) => gelu(each, { approximate });
  return form.run(() => tf.valueAndGrad(call)(tensorOf(x), tensorOf(cotangent)));
}

const shapes = [[], [1], [3], [4], [5], [2, 7], [3, 1, 2, 11], [2, 3, 2, 2, 5]];

describeForms('gelu', { fused: ['wasm', 'webgpu'] }, (form) => {
  const random = new SeededRandom(1);

  describe.each<GeluApproximation>(['none', 'tanh'])('approximate %s', (approximate) => {
    async function agrees(x: ShapedValues, hostile = false): Promise<void> {
      const cotangent = random.normals(x.shape);
      const { value, grad } = differentiate(form, x, cotangent, approximate);
      const bound = (which: 'forward' | 'gradient') =>
        hostile ? { largest: hostileTolerance[which] } : { relative: form.tolerance[which] };
      const output = Array.from(x.data, (each) => geluReference(each, approximate));
      await assertClose('output', value, { shape: x.shape, data: output }, bound('forward'));
      const slopes = Array.from(x.data, (each, i) => cotangent.data[i]! * geluSlopeReference(each, approximate));
      await assertClose('gradient', grad, { shape: x.shape, data: slopes }, bound('gradient'));
    }

    test.each(shapes)('agrees with the reference at [%s, %s, %s, %s, %s]', async (...sizes) => {
      await agrees(random.normals(sizes.filter((size) => size !== undefined)));
    });

    test('agrees over the whole range, and survives extreme numbers', async () => {
      await agrees(random.normals([7001], 3));
      await agrees(random.normals([999], 1e-3));
      await agrees(random.uniforms([201], -1e4, 1e4), true);
      await agrees({ shape: [5], data: [-(2 ** 70), 2 ** 70, 0, -60, 60] }, true);
    });

    test('gives empty results and leaks nothing', async () => {
      const empty = { shape: [2, 0], data: [] };
      const { value, grad } = differentiate(form, empty, empty, approximate);
      expect([value.shape, grad.shape]).toEqual([
        [2, 0],
        [2, 0],
      ]);
      const x = random.normals([3, 5]);
      await expectNoLeak(() => tf.tidy(() => tf.dispose(differentiate(form, x, x, approximate) as never)));
    });

    if (form.name !== 'webgpu') {
      test('NaN stays where it is', async () => {
        const { value, grad } = differentiate(form, { shape: [3], data: [1, Number.NaN, 2] }, random.normals([3]), approximate);
        for (const tensor of [value, grad]) expect(Array.from(await tensor.data(), Number.isNaN)).toEqual([false, true, false]);
      });
    }
  });

  if (form.form === 'fused') {
    test('the tail keeps its digits', async () => {
      const x = { shape: [13], data: Array.from({ length: 13 }, (_, i) => -i) };
      const { value } = differentiate(form, x, x, 'none');
      const expected = x.data.map((each) => geluReference(each, 'none'));
      for (const [i, each] of (await value.data()).entries()) {
        expect(Math.abs(each - expected[i]!)).toBeLessThanOrEqual(2e-5 * Math.abs(expected[i]!));
      }
    });
  }
});

describe('the reference of gelu', () => {
  test('has the slope that differences have', async () => {
    const x = new SeededRandom(2).uniforms([60], -6, 6).data;
    for (const approximate of ['none', 'tanh'] as const) {
      const expected = numericalGradient((given) => given.x.map((each) => geluReference(each, approximate)), { x });
      const slopes = x.map((each) => geluSlopeReference(each, approximate));
      await assertClose(approximate, slopes, expected.x!, { relative: 1e-9 });
    }
    // 2 Phi(-1) and 2 Phi(-5), from tables.
    expect(2 * normalBelow(-1)).toBeCloseTo(0.31731050786291415, 15);
    expect(2 * normalBelow(-5)).toBeCloseTo(5.733031437583869e-7, 20);
  });
});
