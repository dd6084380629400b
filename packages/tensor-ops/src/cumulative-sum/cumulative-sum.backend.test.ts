import { assertClose, describeForms, expectNoLeak, numericalGradient, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { cumulativeSum } from './cumulative-sum';
import { cumulativeSumReference } from './reference';
import { scanLayout } from './scan-layout';

const cases: [shape: number[], axis: number][] = [
  [[1], 0],
  [[7], -1],
  [[15], 0],
  [[16], 0],
  [[17], -1],
  [[3, 33], 1],
  [[3, 35], -2],
  [[2, 5, 3], 1],
  [[2, 128, 5], -2],
  [[2, 3, 4, 5], 0],
  [[2, 3, 4, 5], -3],
  [[2, 3, 2, 3, 2], 2],
  [[67, 4], 0],
  [[1, 1031], 1],
];
const directions = [
  { exclusive: false, reverse: false },
  { exclusive: true, reverse: false },
  { exclusive: false, reverse: true },
  { exclusive: true, reverse: true },
];

describeForms('cumulativeSum', { fused: ['wasm', 'webgpu'] }, (form) => {
  test.each(directions)('agrees with the reference, gradient too: exclusive $exclusive, reverse $reverse', async (options) => {
    const random = new SeededRandom(1);
    for (const [shape, axis] of cases) {
      const [x, cotangent] = [random.normals(shape), random.normals(shape)];
      const layout = { ...scanLayout(shape, axis), ...options };
      const call = (input: tf.Tensor) => cumulativeSum(input, axis, options);
      const { value, grad } = form.run(() => tf.valueAndGrad(call)(tensorOf(x), tensorOf(cotangent)));
      const name = `[${shape}] over ${axis}`;
      const output = { shape, data: cumulativeSumReference(layout, x.data) };
      await assertClose(name, value, output, { relative: form.tolerance.forward });
      const dX = { shape, data: cumulativeSumReference({ ...layout, reverse: !options.reverse }, cotangent.data) };
      await assertClose(`gradient of ${name}`, grad, dX, { relative: form.tolerance.gradient });
    }
  });

  test('has the gradient of central differences', async () => {
    const random = new SeededRandom(2);
    const [x, cotangent] = [random.normals([2, 5, 3]), random.normals([2, 5, 3])];
    for (const options of directions) {
      const layout = { ...scanLayout([2, 5, 3], 1), ...options };
      const expected = numericalGradient(
        (at) => cumulativeSumReference(layout, at.x),
        { x: x.data },
        { cotangent: cotangent.data },
      );
      const dX = form.run(() =>
        tf.grad((input: tf.Tensor) => cumulativeSum(input, 1, options))(tensorOf(x), tensorOf(cotangent)),
      );
      await assertClose('dX', dX, expected.x!, { relative: form.tolerance.gradient });
    }
  });

  test.each([
    [[1, 8192, 3], 1],
    [[3, 8192], 1],
  ])('keeps its promise over 8,192 steps of %s', async (shape, axis) => {
    const random = new SeededRandom(3);
    for (const x of [random.normals(shape), random.uniforms(shape)]) {
      for (const options of directions) {
        const expected = cumulativeSumReference({ ...scanLayout(shape, axis), ...options }, x.data);
        const output = form.run(() => cumulativeSum(tensorOf(x), axis, options));
        await assertClose('output', output, expected, { relative: form.tolerance.forward });
      }
    }
  });

  test('the exclusive sum is the inclusive one less the element; both directions meet in the total', async () => {
    const shape = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });
    const property = fc.asyncProperty(shape, fc.nat(), fc.nat(), async (sizes, seed, at) => {
      const axis = at % sizes.length;
      const x = tensorOf(new SeededRandom(seed).normals(sizes));
      const [both, total] = form.run(() => {
        const forward = cumulativeSum(x, axis);
        const backward = cumulativeSum(x, axis - sizes.length, { exclusive: true, reverse: true });
        return [tf.add(forward, backward), tf.sum(x, axis, true)];
      });
      await assertClose('sum of both', both!, tf.broadcastTo(total!, sizes), { relative: 1e-6, absolute: 1e-6 });
    });
    await fc.assert(property, { numRuns: 8, seed: 42 });
  });

  test('an empty axis gives an empty result and gradient', () => {
    for (const shape of [[0], [2, 0, 3], [0, 3], [3, 0]]) {
      const { value, grad } = form.run(() => tf.valueAndGrad((x: tf.Tensor) => cumulativeSum(x, -1))(tf.zeros(shape)));
      expect([value.shape, grad.shape]).toEqual([shape, shape]);
    }
  });

  if (form.name !== 'webgpu') {
    test('NaN and infinity reach what comes after and nothing else', async () => {
      const nan = new Array(40).fill(1);
      nan[21] = Number.NaN;
      const infinite = new Array(40).fill(1);
      infinite[21] = Number.POSITIVE_INFINITY;
      for (const [bad, values] of [
        [Number.NaN, nan],
        [Number.POSITIVE_INFINITY, infinite],
      ] as const) {
        const columns = tf.tensor2d(
          values.flatMap((x) => [x, 1]),
          [40, 2],
        );
        const [row, table] = form.run(() => [cumulativeSum(tf.tensor1d(values), 0), cumulativeSum(columns, 0)]);
        const expected = values.map((_, t) => (t < 21 ? t + 1 : bad));
        expect(Array.from(await row!.data())).toEqual(expected);
        expect(Array.from(await table!.data())).toEqual(expected.flatMap((x, t) => [x, t + 1]));
      }
    });
  }

  test('names what it refuses', () => {
    const x = tf.ones([2, 3]);
    const run = (...args: unknown[]) => form.run(() => (cumulativeSum as (...all: unknown[]) => tf.Tensor)(...args));
    expect(() => run(x, 2)).toThrow('cumulativeSum: axis must be an integer from -2 to 1, got 2\n  x  [2, 3]');
    expect(() => run(x, 0.5)).toThrow('axis must be an integer from -2 to 1, got 0.5');
    expect(() => run(tf.scalar(1), 0)).toThrow('cumulativeSum: x must have an axis to sum over');
    expect(() => run(x, 0, { exclusiv: true })).toThrow(/unknown option 'exclusiv'; the options are exclusive, reverse/);
    expect(() => run(x, 0, { reverse: 1 })).toThrow('cumulativeSum: option reverse must be true or false, got 1');
    expect(() => run(tf.ones([2], 'int32'), 0)).toThrow('cumulativeSum: x must be float32, got int32');
    expect(() => run([1, 2], 0)).toThrow('cumulativeSum: x must be a Tensor, got an array');
  });

  test('leaks nothing', async () => {
    const x = tf.ones([2, 300, 3]);
    await expectNoLeak(() => form.run(() => cumulativeSum(x, 1)).dispose());
    await expectNoLeak(() => form.run(() => tf.tidy(() => void tf.grad((y: tf.Tensor) => cumulativeSum(y, 1))(x))));
  });
});
