import { describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { depthwiseConv2d } from './depthwise-conv-2d';
import { agreesWithReference, differentiate } from './test-calls';

const cases: [shape: number[], window: number[], dilation: number][] = [
  [[1, 1, 1, 1], [1, 1], 1],
  [[1, 5, 1, 2], [3, 2], 1],
  [[2, 5, 7, 3], [3, 3], 1],
  [[1, 7, 5, 5], [2, 5], 2],
  [[1, 3, 4, 4], [9, 11], 1],
  [[1, 11, 13, 17], [3, 3], 3],
  [[2, 4, 67, 6], [1, 4], 1],
  [[1, 16, 16, 1], [9, 9], 1],
];

describeForms('depthwiseConv2d', { fused: ['wasm', 'webgpu'] }, (form) => {
  test.each(cases)(
    'agrees with the reference, gradients too: [%s], window [%s], dilation %i',
    async (shape, window, dilation) => {
      await agreesWithReference(form, new SeededRandom(1), shape, window, { dilation });
    },
  );

  test('keeps its promise over 8,192 positions', async () => {
    const random = new SeededRandom(2);
    await agreesWithReference(form, random, [1, 64, 128, 2], [3, 3], {}, (shape) => random.uniforms(shape));
  });

  test('image and kernel turned give the output turned', async () => {
    const drawn = fc.record({ seed: fc.nat(), height: fc.integer({ min: 1, max: 9 }), width: fc.integer({ min: 1, max: 9 }) });
    const property = fc.asyncProperty(drawn, async ({ seed, height, width }) => {
      const random = new SeededRandom(seed);
      const x = tensorOf<tf.Tensor4D>(random.normals([1, height, width, 5]));
      const kernel = tensorOf<tf.Tensor3D>(random.normals([3, 2, 5]));
      const output = form.run(() => depthwiseConv2d(x, kernel));
      const turned = form.run(() => depthwiseConv2d(tf.transpose(x, [0, 2, 1, 3]), tf.transpose(kernel, [1, 0, 2])));
      const [a, b] = [await output.data(), await tf.transpose(turned, [0, 2, 1, 3]).data()];
      for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 5);
    });
    await fc.assert(property, { numRuns: 8, seed: 42 });
  });

  test('tap (r, s) reads below and right of the center', async () => {
    const x = tf.tensor4d([1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 3, 3, 1]);
    const kernel = tf.tensor3d([0, 0, 0, 0, 0, 1], [2, 3, 1]);
    const output = form.run(() => depthwiseConv2d(x, kernel));
    expect(Array.from(await output.data())).toEqual([5, 6, 0, 8, 9, 0, 0, 0, 0]);
  });

  test('an empty axis gives empty results and gradients', () => {
    for (const shape of [
      [0, 2, 3, 2],
      [1, 0, 3, 2],
      [1, 2, 0, 2],
      [1, 2, 3, 0],
    ]) {
      const x = tf.zeros(shape);
      const { output, dX, dKernel } = differentiate(form, x, tf.ones([3, 3, shape[3]!]), x, {});
      expect([output.shape, dX.shape, dKernel.shape]).toEqual([shape, shape, [3, 3, shape[3]]]);
    }
  });

  test('names what it refuses', () => {
    const run = (...args: unknown[]) => form.run(() => (depthwiseConv2d as (...all: unknown[]) => tf.Tensor)(...args));
    const [x, kernel] = [tf.ones([1, 4, 4, 3]), tf.ones([2, 2, 3])];
    expect(() => run(x, kernel, { causal: true })).toThrow("depthwiseConv2d: unknown option 'causal'; the options are dilation");
    expect(() => run(x, tf.ones([2, 2, 2]))).toThrow("depthwiseConv2d: axis 'dim' is 3 in x but 2 in kernel");
    expect(() => run(x, kernel, { dilation: 1.5 })).toThrow('option dilation must be an integer above 0, got 1.5');
  });

  test('leaks nothing', async () => {
    const [x, kernel] = [tf.ones([1, 5, 4, 3]), tf.ones([3, 2, 3])];
    await expectNoLeak(() => form.run(() => depthwiseConv2d(x as tf.Tensor4D, kernel as tf.Tensor3D)).dispose());
    await expectNoLeak(() => tf.tidy(() => void differentiate(form, x, kernel, x, {})));
  });
});
