import { describeForms, expectNoLeak, runConformance, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type Boundary, boundaries } from '../boundary';
import { causalOffsets, symmetricOffsets } from '../offsets';
import { shiftConvolutionDepthwise, shiftConvolutionDepthwise2d } from './shift-convolution-depthwise';
import { agreesWithReference, convolve, type Offsets } from './test-calls';

// Orientation: x [batch, time, dim], y_(n,p) = sum_k theta_(k,p) x_(n - d_k, p).

const cases: [shape: number[], offsets: Offsets][] = [
  [
    [1, 1, 1],
    [0, 0],
  ],
  [
    [2, 2, 3],
    [1, -1],
  ],
  [
    [2, 13, 9],
    [0, 3, 3, -12, 7],
  ],
  [[1, 67, 17], symmetricOffsets(9)],
  [
    [1, 3, 5, 2],
    [
      [0, 0],
      [-1, 2],
      [2, -4],
    ],
  ],
  [
    [2, 7, 6, 21],
    [
      [0, 1],
      [1, 0],
      [-3, -2],
      [6, 5],
      [0, 0],
    ],
  ],
];

/** More products than are listed at once, and stretches of 64 positions. */
const large: typeof cases = [
  [[1, 257, 8], causalOffsets(9)],
  [[1, 140, 5], Array.from({ length: 1100 }, (_, i) => (i % 277) - 138)],
  [
    [2, 131, 31],
    [64, -65, 0],
  ],
];

const beyond: typeof cases = [
  [
    [2, 5, 3],
    [9, -6, 5, 1000],
  ],
  [
    [1, 3, 2, 11],
    [
      [3, 0],
      [-4, 9],
      [0, -2],
    ],
  ],
];

describeForms('shiftConvolutionDepthwise', { fused: ['wasm', 'webgpu'] }, (form) => {
  runConformance(form, 'shiftConvolutionDepthwise', ({ x, theta }, { offsets, boundary }) =>
    convolve(x!, theta!, offsets as Offsets, boundary as Boundary),
  );

  for (const boundary of boundaries) {
    const most = form.form === 'composed' ? large.filter(([, offsets]) => offsets.length < 100) : large;
    const all = [...cases, ...(boundary === 'reflect' ? [] : beyond), ...(form.name === 'webgpu' ? [] : most)];
    test.each(form.isSlow ? all.slice(2, 3) : all)(
      `agrees with the reference, gradients too, ${boundary}: [%s]`,
      async (shape, offsets) => agreesWithReference(form, new SeededRandom(1), shape, 0, offsets, boundary),
    );
  }

  if (form.name !== 'webgpu') {
    test('keeps its promise over 8,192 steps', async () => {
      await agreesWithReference(form, new SeededRandom(2), [1, 8192, 3], 0, [3, 0, -1], 'circular');
    });

    test('NaN reaches what reads it and nothing else', async () => {
      const values = Array.from({ length: 24 }, (_, i) => (i === 10 ? Number.NaN : 1));
      const x = tf.tensor3d(values, [1, 12, 2]);
      const output = form.run(() => shiftConvolutionDepthwise(x, tf.ones([2, 2]), { offsets: [0, 3] }));
      const lost = Array.from(await output.data()).flatMap((v, i) => (Number.isNaN(v) ? [i] : []));
      expect(lost).toEqual([10, 16]);
    });
  }

  test('names what it refuses', () => {
    const run = (theta: tf.Tensor, offsets: unknown) => () =>
      form.run(() => shiftConvolutionDepthwise(tf.ones([2, 5, 3]), theta as tf.Tensor2D, { offsets: offsets as number[] }));
    expect(run(tf.ones([2, 3]), [1])).toThrow("shiftConvolutionDepthwise: axis 'terms' is 2 in theta but there are 1 offsets");
    expect(run(tf.ones([1, 4]), [1])).toThrow("shiftConvolutionDepthwise: axis 'dim' is 3 in x but 4 in theta");
    expect(run(tf.ones([1, 3]), 'all')).toThrow('option offsets must be an array of at least one of integers, got all');
    const overGrid = () =>
      form.run(() =>
        shiftConvolutionDepthwise2d(tf.ones([1, 2, 2, 3]), tf.ones([1, 3]), { offsets: [[2, 0]], boundary: 'reflect' }),
      );
    expect(overGrid).toThrow(
      "shiftConvolutionDepthwise2d: boundary 'reflect' holds offsets up to 1 on an axis of 2, offsets[0] (height) is 2",
    );
  });

  test('leaks nothing', async () => {
    const [x, theta] = [tensorOf(new SeededRandom(1).normals([1, 9, 3])), tf.ones([2, 3])];
    await expectNoLeak(() => form.run(() => convolve(x, theta, [0, 2], 'zero')).dispose());
    const grads = tf.grads((...[a, b]: tf.Tensor[]) => convolve(a!, b!, [0, 2], 'zero'));
    await expectNoLeak(() => tf.tidy(() => void form.run(() => grads([x, theta]))));
  });
});
