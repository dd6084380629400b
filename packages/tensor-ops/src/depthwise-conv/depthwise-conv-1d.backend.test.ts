import { assertClose, describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { implementationOf } from '../operator/implementation';
import { depthwiseConv1d, depthwiseConv1dOperator } from './depthwise-conv-1d';
import { agreesWithReference, type ConvOptions, differentiate } from './test-calls';

const cases: [shape: number[], window: number, dilation: number][] = [
  [[1, 1, 1], 1, 1],
  [[2, 1, 3], 5, 1],
  [[1, 2, 2], 3, 1],
  [[2, 7, 3], 4, 2],
  [[1, 13, 4], 3, 1],
  [[2, 9, 5], 3, 3],
  [[1, 5, 6], 17, 1],
  [[1, 5, 7], 9, 100],
  [[2, 67, 16], 5, 1],
  [[2, 6, 8], 3, 1],
  [[1, 7, 9], 4, 1],
  [[2, 37, 13], 4, 1],
  [[1, 40, 17], 3, 1],
  [[1, 65, 23], 4, 2],
  [[1, 130, 2], 131, 1],
  [[3, 64, 33], 7, 4],
];

describeForms('depthwiseConv1d', { fused: ['wasm', 'webgpu'] }, (form) => {
  test.each([false, true])('agrees with the reference, gradients too: causal %s', async (causal) => {
    const random = new SeededRandom(1);
    for (const [shape, window, dilation] of form.isSlow ? cases.slice(0, 4) : cases)
      await agreesWithReference(form, random, shape, [window], { causal, dilation });
  });

  const [time, window] = form.isSlow ? [512, 15] : [8192, 1023];
  test(`keeps its promise over ${time} steps and under a window of ${window}`, async () => {
    const random = new SeededRandom(2);
    await agreesWithReference(form, random, [1, time, 2], [3], { causal: true });
    await agreesWithReference(form, random, [1, time, 2], [3], {}, (shape) => random.uniforms(shape));
    await agreesWithReference(form, random, [1, window + 1, 2], [window], {});
    await agreesWithReference(form, random, [1, window + 1, 2], [window], {}, (shape) => random.uniforms(shape));
  });

  test('tap r reads dilation (r - floor((window - 1) / 2)) steps away, causal dilation (r - window + 1)', async () => {
    const x = tf.tensor3d([1, 2, 3, 4, 5, 6], [1, 6, 1]);
    const read = async (tap: number, window: number, options: ConvOptions) => {
      const kernel = tf.tensor2d(
        Array.from({ length: window }, (_, r) => Number(r === tap)),
        [window, 1],
      );
      return Array.from(await form.run(() => depthwiseConv1d(x, kernel, options)).data());
    };
    expect(await read(0, 4, {})).toEqual([0, 1, 2, 3, 4, 5]);
    expect(await read(3, 4, {})).toEqual([3, 4, 5, 6, 0, 0]);
    expect(await read(2, 3, { dilation: 2 })).toEqual([3, 4, 5, 6, 0, 0]);
    expect(await read(3, 4, { causal: true })).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await read(0, 3, { causal: true, dilation: 2 })).toEqual([0, 0, 0, 0, 1, 2]);
  });

  const drawn = fc.record({
    seed: fc.nat(),
    time: fc.integer({ min: 1, max: 30 }),
    dim: fc.integer({ min: 1, max: 9 }),
    window: fc.integer({ min: 1, max: 12 }),
    dilation: fc.integer({ min: 1, max: 4 }),
  });

  test('a causal output does not see what comes later, to the bit; a shifted input gives a shifted output', async () => {
    const property = fc.asyncProperty(drawn, async ({ seed, time, dim, window, dilation }) => {
      const random = new SeededRandom(seed);
      const x = random.normals([1, time, dim]);
      const kernel = tensorOf<tf.Tensor2D>(random.normals([window, dim]));
      const run = (data: ArrayLike<number>, length = time) =>
        form.run(() => depthwiseConv1d(tensorOf({ shape: [1, length, dim], data }), kernel, { causal: true, dilation })).data();
      const cut = random.integer(time);
      const before = await run(x.data);
      const after = await run(x.data.map((value, i) => (i >= (cut + 1) * dim ? value + 50 : value)));
      expect(after.slice(0, (cut + 1) * dim)).toEqual(before.slice(0, (cut + 1) * dim));
      const later = await run([...new Float64Array(3 * dim), ...x.data], time + 3);
      await assertClose('shifted', later.slice(3 * dim), before, { relative: form.tolerance.forward });
    });
    await fc.assert(property, { numRuns: 8, seed: 42 });
  });

  test('its gradients are its adjoints', async () => {
    const property = fc.asyncProperty(drawn, async ({ seed, time, dim, window, dilation }) => {
      const random = new SeededRandom(seed);
      const [x, dOutput] = [random.normals([2, time, dim]), random.normals([2, time, dim])].map((v) => tensorOf(v));
      const kernel = tensorOf(random.normals([window, dim]));
      const { output, dX, dKernel } = differentiate(form, x!, kernel, dOutput!, { dilation });
      const dot = async (a: tf.Tensor, b: tf.Tensor) => {
        const [p, q] = [await a.data(), await b.data()];
        return Array.from(p).reduce((sum, value, i) => sum + value * q[i]!, 0);
      };
      const sum = await dot(output, dOutput!);
      expect(await dot(dX, x!)).toBeCloseTo(sum, 3);
      expect(await dot(dKernel, kernel)).toBeCloseTo(sum, 3);
    });
    await fc.assert(property, { numRuns: 8, seed: 42 });
  });

  test('an empty axis gives empty or zero results and gradients', async () => {
    for (const [shape, window] of [
      [[0, 3, 2], 3],
      [[2, 0, 2], 3],
      [[2, 3, 0], 3],
      [[2, 3, 2], 0],
    ] as const) {
      const [x, kernel] = [tf.ones([...shape]), tf.ones([window, shape[2]])];
      const { output, dX, dKernel } = differentiate(form, x, kernel, tf.ones([...shape]), {});
      expect([output.shape, dX.shape, dKernel.shape]).toEqual([shape, shape, [window, shape[2]]]);
      for (const tensor of [output, dX, dKernel]) expect((await tensor.data()).every((value) => value === 0)).toBe(true);
    }
  });

  if (form.name !== 'webgpu') {
    test('NaN reaches what reads it and nothing else', async () => {
      const values = Array.from({ length: 24 }, (_, i) => (i === 10 ? Number.NaN : 1));
      const output = form.run(() =>
        depthwiseConv1d(tf.tensor3d(values, [1, 12, 2]), tf.ones([2, 2]), { causal: true, dilation: 3 }),
      );
      const lost = Array.from(await output.data()).flatMap((x, i) => (Number.isNaN(x) ? [i] : []));
      expect(lost).toEqual([10, 16]);
    });
  }

  test('survives extreme numbers', async () => {
    const output = form.run(() => depthwiseConv1d(tf.fill([1, 9, 5], 1e18), tf.fill([3, 5], 1e18), { causal: true }));
    expect((await output.data()).every(Number.isFinite)).toBe(true);
  });

  test('names what it refuses', () => {
    const run = (...args: unknown[]) => form.run(() => (depthwiseConv1d as (...all: unknown[]) => tf.Tensor)(...args));
    const [x, kernel] = [tf.ones([2, 5, 3]), tf.ones([2, 3])];
    expect(() => run(x, tf.ones([2, 4]))).toThrow(
      "depthwiseConv1d: axis 'dim' is 3 in x but 4 in kernel\n  x       [batch time dim]  [2, 5, 3]\n  kernel  [window dim]      [2, 4]",
    );
    expect(() => run(x, kernel, { dilation: 0 })).toThrow('depthwiseConv1d: option dilation must be an integer above 0, got 0');
    expect(() => run(x, kernel, { stride: 2 })).toThrow("unknown option 'stride'; the options are causal, dilation");
    expect(() => run(tf.ones([5, 3]), kernel)).toThrow('depthwiseConv1d: x must have 3 axes [batch time dim], got 2');
  });

  if (form.form === 'fused') {
    test('leaves to the composed form windows whose reach 32-bit places do not hold', () => {
      const at = (time: number, window: number) =>
        implementationOf(depthwiseConv1dOperator, { x: [1, time, 4], kernel: [window, 4] });
      expect(at(8192, 31)).toMatchObject({ form: 'fused' });
      expect(at(2 ** 20, 2 ** 11)).toMatchObject({ form: 'composed', reason: expect.stringMatching(/reach less than 2\^30/) });
    });
  }

  test('leaks nothing', async () => {
    const [x, kernel] = [tf.ones([2, 70, 3]), tf.ones([5, 3])];
    await expectNoLeak(() => form.run(() => depthwiseConv1d(x as tf.Tensor3D, kernel as tf.Tensor2D)).dispose());
    await expectNoLeak(() => tf.tidy(() => void differentiate(form, x, kernel, x, { causal: true })));
  });
});
