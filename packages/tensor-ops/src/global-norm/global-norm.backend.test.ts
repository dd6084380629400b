import { assertClose, describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { globalNorm } from './global-norm';
import { globalNormReference } from './reference';

describeForms('globalNorm', { fused: ['wasm', 'webgpu'] }, (form) => {
  test.each([[[[1]]], [[[]]], [[[2], [3, 5], []]], [[[63], [64], [65], [7, 11, 13]]], [[[16_411], [3]]]])(
    'agrees with the reference: %j',
    async (shapes) => {
      const random = new SeededRandom(3);
      const list = shapes.map((shape) => random.normals(shape as number[]));
      const norm = form.run(() => globalNorm(list.map(tensorOf)));
      const wanted = globalNormReference(list.map(({ data }) => data));
      await assertClose('norm', norm, { shape: [], data: [wanted] }, { relative: form.tolerance.forward });
    },
  );

  test('keeps its promise over a million elements of one sign', async () => {
    const norm = form.run(() => globalNorm([tf.fill([1000, 1000], 0.3), tf.fill([77], 0.3)]));
    await assertClose('norm', norm, [0.3 * Math.sqrt(1_000_077)], { relative: form.tolerance.forward });
  });

  test('scales with its tensors, over many magnitudes', async () => {
    const x = tf.tensor([3, 0, -4]);
    for (const scale of [1e-15, 1e-4, 1, 1e4, 1e15]) {
      const norm = form.run(() => globalNorm([tf.mul(x, scale), tf.mul(x, 0)]));
      await assertClose('norm', norm, [5 * scale], { relative: form.tolerance.forward });
    }
  });

  test('zeros, empty tensors and the empty list give 0', async () => {
    const norm = async (list: tf.Tensor[]) => [...(await form.run(() => globalNorm(list)).data())];
    expect(await norm([tf.zeros([3]), tf.zeros([2, 2])])).toEqual([0]);
    expect(await norm([tf.zeros([0, 2])])).toEqual([0]);
    expect(await norm([])).toEqual([0]);
    expect(await norm([tf.zeros([0]), tf.ones([4])])).toEqual([2]);
  });

  test('names what it refuses', () => {
    const run = (list: unknown) => form.run(() => globalNorm(list as tf.Tensor[]));
    expect(() => run(tf.ones([2]))).toThrow('globalNorm: tensors must be an array of tensors, got a Tensor of shape [2]');
    expect(() => run([tf.ones([2]), 3])).toThrow('globalNorm: tensors[1] must be a Tensor, got 3');
    expect(() => run([tf.ones([2], 'int32')])).toThrow('globalNorm: tensors[0] must be float32, got int32');
  });

  test('leaks nothing', async () => {
    const list = [tf.ones([3, 5]), tf.ones([200])];
    await expectNoLeak(() => form.run(() => globalNorm(list)));
  });
});
