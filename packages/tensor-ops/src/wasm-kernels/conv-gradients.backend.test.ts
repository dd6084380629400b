import { assertClose, describeBackends, expectNoLeak, SeededRandom, type ShapedValues, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enableWasmKernels, type WasmReport } from './enable-wasm-kernels';
import { type ConvSizes, convGradientReference } from './test-conv-reference';

type Pad = 'same' | 'valid' | number | [[0, 0], [number, number], [number, number], [0, 0]];
type Four = [number, number, number, number];

interface Case {
  readonly x: Four;
  readonly filter: Four;
  readonly strides?: [number, number];
  readonly dilations?: [number, number];
  readonly pad: Pad;
}

/** What tfjs is to make of a case. */
function sizesOf({ x, filter, strides = [1, 1], dilations = [1, 1], pad }: Case, depthwise: boolean): ConvSizes {
  const reach = [0, 1].map((axis) => (filter[axis]! - 1) * dilations[axis]! + 1);
  const size = (axis: number, before: number, after: number) =>
    Math.floor((x[axis + 1]! + before + after - reach[axis]!) / strides[axis]!) + 1;
  const paddings = [0, 1].map((axis): [number, number] => {
    if (pad === 'valid') return [0, 0];
    if (typeof pad === 'number') return [pad, pad];
    if (pad !== 'same') return pad[axis + 1] as [number, number];
    const outputs = Math.ceil(x[axis + 1]! / strides[axis]!);
    const all = Math.max(0, (outputs - 1) * strides[axis]! + reach[axis]! - x[axis + 1]!);
    return [Math.floor(all / 2), Math.ceil(all / 2)];
  });
  const [outHeight, outWidth] = paddings.map(([before, after], axis) => size(axis, before, after)) as [number, number];
  return { x, filter, outHeight, outWidth, strides, dilations, top: paddings[0]![0], left: paddings[1]![0], depthwise };
}

// A number as padding goes with a square window and equal strides: tfjs reckons the width of the output by the window and stride of the height.
const cases: Case[] = [
  { x: [1, 1, 1, 1], filter: [1, 1, 1, 1], pad: 'valid' },
  { x: [2, 5, 7, 3], filter: [1, 1, 3, 2], pad: 'valid' },
  { x: [2, 5, 7, 3], filter: [1, 1, 3, 2], strides: [2, 3], pad: 'same' },
  { x: [2, 5, 7, 3], filter: [3, 3, 3, 5], pad: 'same' },
  { x: [2, 5, 7, 3], filter: [3, 2, 3, 5], pad: 'valid' },
  { x: [1, 8, 6, 4], filter: [3, 3, 4, 8], strides: [2, 2], pad: 'same' },
  { x: [1, 7, 6, 17], filter: [2, 5, 17, 1], strides: [1, 3], pad: 'same' },
  { x: [2, 7, 6, 5], filter: [3, 3, 5, 4], strides: [2, 2], pad: 1 },
  {
    x: [2, 7, 6, 5],
    filter: [3, 3, 5, 4],
    pad: [
      [0, 0],
      [2, 0],
      [0, 3],
      [0, 0],
    ],
  },
  { x: [1, 3, 2, 2], filter: [5, 7, 2, 3], pad: 'same' },
  { x: [1, 1, 200, 3], filter: [1, 3, 3, 4], pad: 'same' },
  { x: [3, 20, 23, 6], filter: [3, 3, 6, 9], pad: 'same' },
];

const dilated: Case[] = [
  { x: [2, 9, 8, 5], filter: [3, 3, 5, 1], dilations: [2, 2], pad: 'same' },
  { x: [1, 9, 8, 3], filter: [2, 3, 3, 2], dilations: [3, 1], pad: 'valid' },
  {
    x: [1, 9, 8, 16],
    filter: [3, 2, 16, 1],
    dilations: [1, 4],
    pad: [
      [0, 0],
      [1, 2],
      [3, 0],
      [0, 0],
    ],
  },
];

describeBackends(
  'gradients of convolutions',
  ({ tolerance }) => {
    let report: WasmReport;
    beforeAll(async () => {
      report = await enableWasmKernels();
    });
    afterAll(() => report.restore());
    const random = new SeededRandom(6);
    const bound = { relative: tolerance.gradient };
    const draw = (sizes: ConvSizes): Record<'x' | 'filter' | 'dy', ShapedValues> => {
      const [batch, , , channels] = sizes.x;
      const outputs = sizes.depthwise ? channels * sizes.filter[3] : sizes.filter[3];
      return {
        x: random.normals(sizes.x),
        filter: random.normals(sizes.filter),
        dy: random.normals([batch, sizes.outHeight, sizes.outWidth, outputs]),
      };
    };

    it.each(cases)('conv2d of %j', async (given) => {
      const sizes = sizesOf(given, false);
      const { x, filter, dy } = draw(sizes);
      const conv = (a: tf.Tensor, b: tf.Tensor) =>
        tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, [...sizes.strides], given.pad as number);
      const [dX, dFilter] = tf.grads(conv)([tensorOf(x), tensorOf(filter)], tensorOf(dy));
      const expected = convGradientReference(sizes, x, filter, dy);
      await assertClose('x gradient', dX!, expected.dX, bound);
      await assertClose('filter gradient', dFilter!, expected.dFilter, bound);
    });

    it.each(cases)('depthwiseConv2d of %j', async (given) => {
      const sizes = sizesOf(given, true);
      const { x, filter, dy } = draw(sizes);
      const conv = (a: tf.Tensor, b: tf.Tensor) =>
        tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, [...sizes.strides], given.pad as number);
      const [dX, dFilter] = tf.grads(conv)([tensorOf(x), tensorOf(filter)], tensorOf(dy));
      const expected = convGradientReference(sizes, x, filter, dy);
      await assertClose('x gradient', dX!, expected.dX, bound);
      await assertClose('filter gradient', dFilter!, expected.dFilter, bound);
    });

    it.each(dilated)('dilated depthwiseConv2d of %j', async (given) => {
      const sizes = sizesOf(given, true);
      const { x, filter, dy } = draw(sizes);
      const expected = convGradientReference(sizes, x, filter, dy);
      const { strides, pad, dilations } = { strides: [1, 1], ...given };
      const run = (kernel: string, inputs: Record<string, tf.Tensor>, attrs: object) =>
        tf.engine().runKernel(kernel, inputs, { strides, pad, dilations, ...attrs } as tf.NamedAttrMap) as tf.Tensor;
      const dX = run(
        'DepthwiseConv2dNativeBackpropInput',
        { dy: tensorOf(dy), filter: tensorOf(filter) },
        { inputShape: given.x },
      );
      const dFilter = run(
        'DepthwiseConv2dNativeBackpropFilter',
        { x: tensorOf(x), dy: tensorOf(dy) },
        { filterShape: given.filter },
      );
      await assertClose('x gradient', dX, expected.dX, bound);
      await assertClose('filter gradient', dFilter, expected.dFilter, bound);
    });

    it('conv2d keeps its digits over many outputs', async () => {
      const given: Case = { x: [4, 40, 41, 2], filter: [3, 3, 2, 3], pad: 'same' };
      const sizes = sizesOf(given, false);
      const { filter } = draw(sizes);
      const x = random.uniforms(sizes.x);
      const dy = random.uniforms([4, 40, 41, 3]);
      const dFilter = tf.grad((b: tf.Tensor) => tf.conv2d(tensorOf<tf.Tensor4D>(x), b as tf.Tensor4D, 1, 'same'))(
        tensorOf(filter),
        tensorOf(dy),
      );
      await assertClose('filter gradient', dFilter, convGradientReference(sizes, x, filter, dy).dFilter, { relative: 5e-7 });
    });

    it('conv1d, which is made of it', async () => {
      const [x, filter] = [random.normals([2, 9, 3]), random.normals([4, 3, 5])];
      const dy = random.normals([2, 5, 5]);
      const conv = (a: tf.Tensor, b: tf.Tensor) => tf.conv1d(a as tf.Tensor3D, b as tf.Tensor3D, 2, 'same');
      const [dX, dFilter] = tf.grads(conv)([tensorOf(x), tensorOf(filter)], tensorOf(dy));
      const sizes = sizesOf({ x: [2, 1, 9, 3], filter: [1, 4, 3, 5], strides: [1, 2], pad: 'same' }, false);
      const expected = convGradientReference(sizes, x, filter, dy);
      await assertClose('x gradient', dX!, { ...expected.dX, shape: [2, 9, 3] }, bound);
      await assertClose('filter gradient', dFilter!, { ...expected.dFilter, shape: [4, 3, 5] }, bound);
    });

    describe('rejections and empty tensors', () => {
      const attrs = {
        strides: [1, 1],
        pad: 'valid',
        filterShape: [3, 3, 2, 4],
        inputShape: [1, 5, 5, 2],
      } as unknown as tf.NamedAttrMap;
      const run = (kernel: string, inputs: Record<string, tf.Tensor>, more: object = {}) =>
        tf.engine().runKernel(kernel, inputs, { ...attrs, ...more } as tf.NamedAttrMap) as tf.Tensor;
      it.each(['Conv2DBackpropFilter', 'DepthwiseConv2dNativeBackpropFilter'])('%s', async (kernel) => {
        const x = tf.zeros([1, 5, 5, 2]);
        const outputs = kernel.startsWith('Depthwise') ? 8 : 4;
        const message = `dy must have the shape of the convolution, [1, 3, 3, ${outputs}]`;
        expect(() => run(kernel, { x, dy: tf.zeros([1, 3, 4, outputs]) })).toThrow(message);
        expect(() => run(kernel, { x, dy: tf.zeros([1, 3, 3, outputs], 'int32') })).toThrow(/dy must be float32 .* is int32/);
        expect(() => run(kernel, { x: tf.zeros([1, 5, 5, 3]), dy: tf.zeros([1, 3, 3, outputs]) })).toThrow(/channels of x are 3/);
        expect(() => run(kernel, { x, dy: tf.zeros([1, 3, 3, outputs]) }, { strides: [0, 1] })).toThrow(/integers above 0|shape/);
        expect(() => run(kernel, { x, dy: tf.zeros([1, 3, 3, outputs]) }, { dataFormat: 'NCHW' })).toThrow(/must be 'NHWC'/);
        const none = run(kernel, { x: tf.zeros([0, 5, 5, 2]), dy: tf.zeros([0, 3, 3, outputs]) });
        expect(Array.from(await none.data())).toEqual(new Array(72).fill(0));
      });
      it.each(['Conv2DBackpropInput', 'DepthwiseConv2dNativeBackpropInput'])('%s', (kernel) => {
        const filter = tf.zeros([3, 3, 2, 4]);
        const outputs = kernel.startsWith('Depthwise') ? 8 : 4;
        expect(() => run(kernel, { filter, dy: tf.zeros([1, 3, 4, outputs]) })).toThrow(
          /dy must have the shape of the convolution/,
        );
        const none = run(kernel, { filter, dy: tf.zeros([0, 3, 3, outputs]) }, { inputShape: [0, 5, 5, 2] });
        expect(none.shape).toEqual([0, 5, 5, 2]);
      });
    });

    it('does not leak', async () => {
      const [x, filter] = [tf.ones([2, 5, 6, 3]), tf.ones([3, 3, 3, 2])] as [tf.Tensor4D, tf.Tensor4D];
      await expectNoLeak(() =>
        tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'))([x, filter]),
      );
      await expectNoLeak(() =>
        tf.grads((a: tf.Tensor, b: tf.Tensor) => tf.depthwiseConv2d(a as tf.Tensor4D, b as tf.Tensor4D, 1, 'same'))([x, filter]),
      );
    });
  },
  { only: ['wasm'] },
);
