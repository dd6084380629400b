import { assertClose, describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enableWasmKernels, type WasmReport } from './enable-wasm-kernels';
import { matMulReference } from './reference';

const activations: Record<string, (x: number, slope: number) => number> = {
  linear: (x) => x,
  relu: (x) => Math.max(x, 0),
  relu6: (x) => Math.min(Math.max(x, 0), 6),
  prelu: (x, slope) => (x < 0 ? slope * x : x),
  leakyrelu: (x) => (x < 0 ? 0.2 * x : x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  elu: (x) => (x < 0 ? Math.expm1(x) : x),
};

const fused = (config: object) => tf.fused.matMul(config as Parameters<typeof tf.fused.matMul>[0]);

describeBackends(
  'fused matMul with our kernels',
  ({ tolerance }) => {
    let report: WasmReport;
    beforeAll(async () => {
      report = await enableWasmKernels();
    });
    afterAll(() => report.restore());

    const [rows, depth, columns] = [11, 6, 13] as const;
    const random = new SeededRandom(1);
    const a = { ...random.normals([2, rows, depth]), transposed: false };
    const b = { ...random.normals([2, columns, depth]), transposed: true };
    const product = matMulReference(a, b);
    /** What the bias and slopes of each shape add to element i of the product. */
    const operandShapes: readonly (readonly number[])[] = [
      [columns],
      [1, columns],
      [],
      [1],
      [rows, 1],
      [rows, columns],
      [2, 1, columns],
    ];
    const indexIn = (shape: readonly number[], i: number) => {
      let index = 0;
      let stride = 1;
      for (let axis = 1; axis <= shape.length; axis++) {
        if (shape.at(-axis)! > 1) index += (i % product.shape.at(-axis)!) * stride;
        stride *= shape.at(-axis)!;
        i = Math.floor(i / product.shape.at(-axis)!);
      }
      return index;
    };

    describe.each(Object.keys(activations))('%s', (activation) => {
      it.each(operandShapes)('takes a bias of shape [%s, %s, %s]', async (...shape) => {
        const own = shape.filter((size) => size !== undefined);
        const [bias, slopes] = [random.normals(own), random.uniforms(own, 0, 0.5)];
        const run = () =>
          fused({
            a: tensorOf(a),
            b: tensorOf(b),
            transposeB: true,
            bias: tensorOf(bias),
            activation,
            leakyreluAlpha: 0.2,
            ...(activation === 'prelu' ? { preluActivationWeights: tensorOf(slopes) } : {}),
          });
        const data = product.data.map((x, i) =>
          activations[activation]!(x + bias.data[indexIn(own, i)]!, slopes.data[indexIn(own, i)]!),
        );
        await assertClose('output', run(), { shape: product.shape, data }, { relative: tolerance.forward });
      });

      it('takes no bias, one row, and an empty depth', async () => {
        const slopes = tf.fill([4], 0.25);
        const config = { activation, leakyreluAlpha: 0.2, ...(activation === 'prelu' ? { preluActivationWeights: slopes } : {}) };
        const row = fused({ a: tf.tensor2d([[1, -1]]), b: tf.tensor2d([1, -2, 3, 4, 5, 3, 3, 1], [2, 4]), ...config });
        const want = [-4, -5, 0, 3].map((x) => activations[activation]!(x, 0.25));
        await assertClose('output', row, want, { relative: tolerance.forward });
        const bias = tf.tensor1d([-1, 0, 1, 8]);
        const empty = fused({ a: tf.zeros([2, 0]), b: tf.zeros([0, 4]), bias, ...config });
        const biased = [-1, 0, 1, 8].map((x) => activations[activation]!(x, 0.25));
        await assertClose('output of an empty sum', empty, [...biased, ...biased], { relative: tolerance.forward });
      });
    });

    it('keeps the relative accuracy of elu near 0', async () => {
      const x = [-1e-6, -1e-3, -0.1, -0.33, -0.35, -2];
      const output = fused({ a: tf.tensor2d(x, [6, 1]), b: tf.ones([1, 1]), activation: 'elu' });
      const got = await output.data();
      x.forEach((value, i) => {
        const want = Math.expm1(Math.fround(value));
        expect(Math.abs(got[i]! - want) / Math.abs(want)).toBeLessThan(3e-7);
      });
    });

    it('lets NaN through every activation', async () => {
      for (const activation of Object.keys(activations)) {
        const slopes = activation === 'prelu' ? { preluActivationWeights: tf.ones([1]) } : {};
        const output = fused({ a: tf.tensor2d([[Number.NaN]]), b: tf.ones([1, 1]), activation, ...slopes });
        expect(await output.data(), activation).toEqual(new Float32Array([Number.NaN]));
      }
    });

    it('has the gradients of a dense layer', async () => {
      const loss = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => tf.sum(tf.square(fused({ a: x, b: weight, bias })));
      const plain = (x: tf.Tensor, weight: tf.Tensor, bias: tf.Tensor) => tf.sum(tf.square(tf.add(tf.matMul(x, weight), bias)));
      const inputs = [tensorOf(random.normals([5, 4])), tensorOf(random.normals([4, 3])), tensorOf(random.normals([3]))];
      const [got, want] = [tf.grads(loss)(inputs), tf.grads(plain)(inputs)];
      for (const i of [0, 1, 2]) await assertClose(`gradient ${i}`, got[i]!, want[i]!, { relative: tolerance.gradient });
    });

    it('refuses an activation it does not have, and prelu without slopes', () => {
      const [x, y] = [tf.ones([1, 1]), tf.ones([1, 1])];
      expect(() => fused({ a: x, b: y, activation: 'swish' })).toThrow(/activation must be one of linear, relu.* is swish/);
      expect(() => fused({ a: x, b: y, activation: 'prelu' })).toThrow(/'prelu' needs preluActivationWeights/);
    });

    it('does not leak, with the epilogue and without', async () => {
      const [x, y] = [tf.ones([2, 3]), tf.ones([3, 4])];
      const [rowBias, scalarBias] = [tf.ones([4]), tf.ones([1])];
      for (const bias of [rowBias, scalarBias]) await expectNoLeak(() => fused({ a: x, b: y, bias, activation: 'relu' }));
    });
  },
  { only: ['wasm'] },
);
