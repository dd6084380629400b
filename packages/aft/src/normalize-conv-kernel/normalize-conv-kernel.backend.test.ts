import {
  assertClose,
  assertGradients,
  byName,
  describeForms,
  expectNoLeak,
  numericalGradient,
  runConformance,
  SeededRandom,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { normalizeConvKernel } from './normalize-conv-kernel';
import { normalizeConvKernelReference } from './reference';

describeForms('normalizeConvKernel', { fused: ['wasm', 'webgpu'] }, (form) => {
  runConformance(form, 'normalizeConvKernel', ({ kernel, gain, bias }, { epsilon }) =>
    normalizeConvKernel(kernel!, gain as tf.Tensor1D, bias as tf.Tensor1D, { epsilon: epsilon as number }),
  );

  const differentiate = (shape: number[], epsilon?: number) => {
    const random = new SeededRandom(shape.length + shape[0]!);
    const given = { kernel: random.normals(shape), gain: random.normals([shape[0]!]), bias: random.normals([shape[0]!]) };
    const cotangent = random.normals(shape);
    const call = (...[k, g, b]: tf.Tensor[]) => normalizeConvKernel(k!, g as tf.Tensor1D, b as tf.Tensor1D, { epsilon });
    const inputs = Object.values(given).map((x) => tensorOf(x));
    return { given, cotangent, ...form.run(() => tf.valueAndGrads(call)(inputs, tensorOf(cotangent))) };
  };

  test.each([[[1, 3]], [[3, 7]], [[65, 4]], [[2, 3, 5]], [[2, 3, 2, 2]]])(
    'agrees with the reference and its central differences at %j',
    async (shape) => {
      const [heads, ...taps] = shape as [number, ...number[]];
      const sizes = { heads, taps: taps.reduce((a, b) => a * b, 1), epsilon: 1e-6 };
      const { given, cotangent, value, grads } = differentiate(shape);
      const inputs = { kernel: given.kernel.data, gain: given.gain.data, bias: given.bias.data };
      const output = { shape, data: normalizeConvKernelReference(sizes, inputs) };
      await assertClose('output', value, output, { relative: form.tolerance.forward });
      const expected = numericalGradient((at) => normalizeConvKernelReference(sizes, at as typeof inputs), inputs, {
        cotangent: cotangent.data,
        step: 1e-4,
      });
      await assertGradients(byName(['kernel', 'gain', 'bias'], grads), expected, { relative: form.tolerance.gradient });
    },
  );

  test('gives 0 for gain and bias 0, with no gradient of the kernel; equal taps and a single one give the bias', async () => {
    const kernel = tf.tensor2d([1, 2, 4, 3, 3, 3], [2, 3]);
    const [none, one, bias] = [tf.zeros([2]), tf.ones([2]), tf.tensor1d([0.5, -2])] as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
    const zero = form.run(() => normalizeConvKernel(kernel, none, none));
    expect(Array.from(await zero.data()).map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
    const gradient = form.run(() => tf.grad((k: tf.Tensor) => normalizeConvKernel(k, none, none))(kernel));
    expect(Array.from(await gradient.data()).map(Math.abs)).toEqual([0, 0, 0, 0, 0, 0]);
    const shifted = form.run(() => normalizeConvKernel(kernel, one, bias));
    expect(Array.from(await shifted.data()).slice(3)).toEqual([-2, -2, -2]);
    const single = form.run(() => normalizeConvKernel(tf.tensor2d([5, 7], [2, 1]), one, bias));
    expect(Array.from(await single.data())).toEqual([0.5, -2]);
  });

  test('leaks nothing and takes empty kernels', async () => {
    await expectNoLeak(() => tf.tidy(() => tf.dispose(differentiate([2, 3]).grads)));
    expect(differentiate([0, 3]).value.shape).toEqual([0, 3]);
    expect(differentiate([2, 0]).grads.map((x) => x.shape)).toEqual([[2, 0], [2], [2]]);
  });

  test('refuses what does not fit', () => {
    const [kernel, gain] = [tf.ones([2, 3]), tf.ones([2]) as tf.Tensor1D];
    expect(() => normalizeConvKernel(kernel, tf.ones([3]) as tf.Tensor1D, gain)).toThrow(
      "normalizeConvKernel: axis 'heads' is 2 in kernel but 3 in gain",
    );
    expect(() => normalizeConvKernel(tf.scalar(1) as tf.Tensor, gain, gain)).toThrow(
      'normalizeConvKernel: kernel must have at least 1 axis [heads ...taps], got 0',
    );
    expect(() => normalizeConvKernel(kernel, gain, gain, { epsilon: 0 })).toThrow(
      'normalizeConvKernel: option epsilon must be a finite number above 0, got 0',
    );
  });
});
