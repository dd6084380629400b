import { assertClose, describeForms, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { agreesWithItsMatrices } from '../basis/test-twins';
import { generalizedConvolution } from '../generalized-convolution/generalized-convolution';
import { type GridOptions1d, gridBasis1d, gridBasis2d } from './grid-basis';

const lines: GridOptions1d[] = [
  { length: 7, window: 3 },
  { length: 8, window: 4 },
  { length: 9, window: 3, stride: 2 },
  { length: 10, window: 3, stride: 3, padding: 'valid' },
  { length: 9, window: 3, dilation: 2 },
  { length: 9, window: 2, dilation: 3, padding: 'valid' },
  { length: 6, window: 3, padding: 'causal' },
  { length: 1, window: 1 },
  { length: 5, window: 9 },
];

describeForms('grid bases', { fused: ['wasm', 'webgpu'] }, (form) => {
  const isSlow = form.name === 'webgpu';

  // tf.conv1d computes the same on the same kernel: [window, P, Q] is the parameter.
  test.each(isSlow ? lines.slice(2, 3) : lines)('over a line as tf.conv1d: %j', async (options) => {
    const { length, window, stride = 1, dilation = 1, padding = 'same' } = options;
    const random = new SeededRandom(length);
    const [x, kernel] = [
      tensorOf<tf.Tensor3D>(random.normals([2, length, 3])),
      tensorOf<tf.Tensor3D>(random.normals([window, 3, 2])),
    ];
    const basis = gridBasis1d(options);
    const y = form.run(() => generalizedConvolution(x, basis, kernel));
    const zeros = padding === 'causal' ? (window - 1) * dilation : 0;
    const padded = tf.pad(x, [
      [0, 0],
      [zeros, 0],
      [0, 0],
    ]);
    const expected = tf.conv1d(padded, kernel, stride, padding === 'same' ? 'same' : 'valid', 'NWC', dilation);
    await assertClose(
      'output',
      y,
      { shape: expected.shape, data: await expected.data() },
      { relative: 2 * form.tolerance.forward },
    );
  });

  test.each(
    [
      { height: 5, width: 4, window: 3 },
      { height: 6, width: 7, window: [3, 2] as const, stride: [2, 1] as const },
      { height: 7, width: 7, window: 2, dilation: 2, padding: 'valid' as const },
      { height: 5, width: 5, window: 3, stride: 2, padding: 1 },
    ].slice(0, isSlow ? 1 : 4),
  )('over an image as tf.conv2d: %j', async (options) => {
    const { height, width, window, stride = 1, dilation = 1, padding = 'same' } = options;
    const pair = (value: number | readonly [number, number]) => (typeof value === 'number' ? ([value, value] as const) : value);
    const random = new SeededRandom(height);
    const x = tensorOf<tf.Tensor4D>(random.normals([2, height, width, 3]));
    const kernel = tensorOf<tf.Tensor4D>(random.normals([...pair(window), 3, 2]));
    const basis = gridBasis2d(options);
    const y = form.run(() =>
      generalizedConvolution(tf.reshape(x, [2, height * width, 3]), basis, tf.reshape(kernel, [-1, 3, 2]) as tf.Tensor3D),
    );
    const strides = [...pair(stride)] as [number, number];
    const dilations = [...pair(dilation)] as [number, number];
    const explicit = typeof padding === 'number' ? padding : 0;
    const padded = tf.pad(x, [
      [0, 0],
      [explicit, explicit],
      [explicit, explicit],
      [0, 0],
    ]);
    const expected = tf.conv2d(padded, kernel, strides, padding === 'same' ? 'same' : 'valid', 'NHWC', dilations);
    expect(basis.outputSize).toBe(expected.shape[1] * expected.shape[2]);
    await assertClose('output', y, await expected.data(), { relative: 2 * form.tolerance.forward });
  });

  test('tap j at stride 1 is the shift by before - j: A_j[m, n] is 1 where n - m = before - j', async () => {
    const dense = await form.run(() => gridBasis1d({ length: 5, window: 4 }).toDense()).data();
    dense.forEach((value, i) => {
      const [j, m, n] = [Math.floor(i / 25), Math.floor(i / 5) % 5, i % 5];
      expect(value).toBe(Number(n - m === 1 - j));
    });
  });

  if (!isSlow) {
    test('its maps and those of its transpose are those of its matrices', async () => {
      await agreesWithItsMatrices(form, gridBasis1d({ length: 7, window: 3, stride: 2, dilation: 2 }));
      await agreesWithItsMatrices(form, gridBasis2d({ height: 3, width: 4, window: 2 }));
    });
  }

  test('refuse what no grid has', () => {
    expect(() => gridBasis1d({ length: 4, window: 0 })).toThrow('gridBasis1d: option window must be an integer above 0, got 0');
    expect(() => gridBasis1d({ length: 4, window: 3, dilation: 2, padding: 'valid' })).toThrow(
      'a window of 3 with dilation 2 reaches over 5 positions, more than the 4 there are',
    );
    expect(() => gridBasis1d({ length: 4, window: 2, padding: 'full' as never })).toThrow("option padding must be 'same'");
    expect(() => gridBasis2d({ height: 4, width: 4, window: 2, padding: 'causal' as never })).toThrow('a grid has no order');
    expect(() => gridBasis1d({ length: 4 } as never)).toThrow('length and window are needed');
  });
});
