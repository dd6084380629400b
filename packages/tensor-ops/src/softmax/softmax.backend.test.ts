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
import { logSumExp } from '../log-sum-exp/log-sum-exp';
import { logSumExpReference, softmaxGradientReference, softmaxReference } from './reference';
import { softmax } from './softmax';

function differentiate(form: TestForm, call: (x: tf.Tensor) => tf.Tensor, x: ShapedValues, cotangent: ShapedValues) {
  const { value, grad } = form.run(() => tf.valueAndGrad(call)(tensorOf(x), tensorOf(cotangent)));
  return { value, dX: grad };
}

/** Shapes and axes, around the sizes that kernels work in. */
const cases: [shape: number[], axis: number][] = [
  [[1], 0],
  [[3], -1],
  [[2, 4], 1],
  [[3, 5], 0],
  [[2, 7, 3], 1],
  [[2, 3, 17], -2],
  [[1, 2, 3, 33], 3],
  [[4, 2, 3, 2, 5], -5],
  [[18, 1, 5], 0],
  [[3, 515], -1],
  [[520, 2], 0],
];

describeForms('softmax', { fused: ['wasm', 'webgpu'] }, (form) => {
  const random = new SeededRandom(1);

  test.each(cases)('agrees with the reference at [%s] along axis %i, masked and not', async (shape, axis) => {
    const [x, cotangent] = [random.normals(shape, 3), random.normals(shape)];
    for (const mask of [undefined, random.mask(shape, 0.6)]) {
      const given = mask ? { mask: tensorOf(mask) } : {};
      const { value, dX } = differentiate(form, (each) => softmax(each, axis, given), x, cotangent);
      const output = softmaxReference(x.data, shape, axis, mask?.data);
      await assertClose('output', value, { shape, data: output }, { relative: form.tolerance.forward });
      const expected = softmaxGradientReference(output, shape, axis, cotangent.data);
      await assertClose('gradient', dX, { shape, data: expected }, { relative: form.tolerance.gradient, rmsFloor: 0.1 });
    }
  });

  test.each(['bool', 'int32', 'float32'] as const)('takes a mask of type %s that broadcasts', async (dtype) => {
    const shape = [2, 3, 4, 5];
    const x = random.normals(shape);
    for (const [own, axis] of [
      [[4, 5], -1],
      [[3, 4, 5], 3],
      [[5], -1],
      [[2, 1, 4, 1], -1],
      [[2, 1, 1, 5], 1],
      [[4, 5], 0],
      [[1], 2],
    ] as const) {
      const mask = random.mask([...own]);
      const given = tf.tensor(Array.from(mask.data), [...own], dtype);
      const whole = await tf.broadcastTo(tensorOf(mask), shape).data();
      const output = form.run(() => softmax(tensorOf(x), axis, { mask: given }));
      const expected = { shape, data: softmaxReference(x.data, shape, axis, whole) };
      await assertClose(`[${own}]`, output, expected, { relative: form.tolerance.forward });
    }
  });

  test('what is masked may hold anything, and a row of nothing gives 0', async () => {
    const shape = [3, 5];
    const mask = { shape, data: [1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0] };
    const clean = random.normals(shape);
    const poisoned = { shape, data: Array.from(clean.data, (value, i) => (mask.data[i] === 0 ? Number.NaN : value)) };
    const cotangent = random.normals(shape);
    const call = (x: tf.Tensor) => softmax(x, -1, { mask: tensorOf(mask) });
    const [a, b] = [clean, poisoned].map((x) => differentiate(form, call, x, cotangent));
    for (const name of ['value', 'dX'] as const) {
      const values = Array.from(await b![name].data());
      expect(values).toEqual(Array.from(await a![name].data()));
      expect(values.slice(5, 10).every((value) => value === 0)).toBe(true);
    }
  });

  test('keeps its promise in rows of 8,192 and survives extreme numbers', async () => {
    const shape = [2, 8192];
    const cotangent = random.uniforms(shape);
    for (const [x, hostile] of [
      [random.uniforms(shape, -20, 20), false],
      [random.uniforms(shape, 0, 0.1), false],
      [random.uniforms(shape, -1e4, 1e4), true],
      [{ shape, data: random.mask(shape).data.map((bit) => (2 * bit - 1) * 1e4) }, true],
    ] as const) {
      const { value, dX } = differentiate(form, (each) => softmax(each), x, cotangent);
      const output = softmaxReference(x.data, shape, -1);
      const gradient = softmaxGradientReference(output, shape, -1, cotangent.data);
      const bound = (which: 'forward' | 'gradient') =>
        hostile ? { largest: hostileTolerance[which] } : { relative: form.tolerance[which], absolute: 1e-12 };
      await assertClose('output', value, output, bound('forward'));
      await assertClose('gradient', dX, gradient, bound('gradient'));
    }
  });

  test('gives empty results and leaks nothing', async () => {
    for (const shape of [
      [0, 3],
      [2, 0],
    ]) {
      const { value, dX } = differentiate(form, (x) => softmax(x), { shape, data: [] }, { shape, data: [] });
      expect([value.shape, dX.shape]).toEqual([shape, shape]);
    }
    const [x, mask] = [random.normals([2, 3, 4]), tf.ones([3, 1])];
    for (const axis of [-1, 1]) {
      const call = (each: tf.Tensor) => softmax(each, axis, { mask });
      await expectNoLeak(() => tf.tidy(() => tf.dispose(differentiate(form, call, x, x))));
    }
  });
});

describeForms('logSumExp', { fused: ['wasm', 'webgpu'] }, (form) => {
  const random = new SeededRandom(2);

  async function agrees(x: ShapedValues, axis: number, hostile = false): Promise<void> {
    const { shape, data } = x;
    const output = logSumExpReference(data, shape, axis);
    const dropped = axis < 0 ? axis + shape.length : axis;
    const cotangent = random.normals(shape.filter((_, i) => i !== dropped));
    const { value, dX } = differentiate(form, (each) => logSumExp(each, axis), x, cotangent);
    const bound = (which: 'forward' | 'gradient') =>
      hostile ? { largest: hostileTolerance[which] } : { relative: form.tolerance[which] };
    await assertClose('output', value, { shape: cotangent.shape, data: output }, bound('forward'));
    const inner = shape.slice(dropped + 1).reduce((product, size) => product * size, 1);
    const received = (i: number) => cotangent.data[Math.floor(i / (shape[dropped]! * inner)) * inner + (i % inner)]!;
    const expected = softmaxReference(data, shape, axis).map((weight, i) => weight * received(i));
    await assertClose('gradient', dX, { shape, data: expected }, bound('gradient'));
  }

  test.each(cases)('agrees with the reference at [%s] along axis %i', async (shape, axis) => {
    await agrees(random.normals(shape, 3), axis);
  });

  test('keeps its promise in rows of 8,192 and survives extreme numbers', async () => {
    await agrees(random.uniforms([2, 8192], -20, 20), -1);
    await agrees(random.uniforms([2, 8192], 0, 0.1), -1);
    await agrees(random.uniforms([3, 40], -1e4, 1e4), -1, true);
    await agrees({ shape: [2, 3], data: [1e4, 1e4, -1e4, -1e4, -1e4, -1e4] }, -1, true);
  });

  test('gives empty results and leaks nothing', async () => {
    const { value, dX } = differentiate(form, (x) => logSumExp(x), { shape: [0, 3], data: [] }, { shape: [0], data: [] });
    expect([value.shape, dX.shape]).toEqual([[0], [0, 3]]);
    const none = form.run(() => logSumExp(tf.zeros([2, 0])));
    expect(Array.from(await none.data())).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
    const x = random.normals([2, 3, 4]);
    const cotangent = random.normals([2, 4]);
    await expectNoLeak(() => tf.tidy(() => tf.dispose(differentiate(form, (each) => logSumExp(each, 1), x, cotangent))));
  });
});

describe('the reference of softmax', () => {
  test('has the gradient that differences have', async () => {
    const random = new SeededRandom(3);
    const [x, mask, cotangent] = [random.normals([2, 3, 4]), random.mask([2, 3, 4]), random.normals([2, 3, 4])];
    const forward = (data: ArrayLike<number>) => softmaxReference(data, x.shape, 1, mask.data);
    const expected = numericalGradient((changed) => forward(changed.x), { x: x.data }, { cotangent: cotangent.data });
    const actual = softmaxGradientReference(forward(x.data), x.shape, 1, cotangent.data);
    await assertClose('gradient', actual, expected.x!, { relative: 1e-9 });
  });
});
