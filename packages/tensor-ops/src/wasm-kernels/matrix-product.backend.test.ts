import { assertClose, describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { enableWasmKernels, type WasmReport } from './enable-wasm-kernels';
import { matMulReference } from './reference';

const transposes = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

/** Two operands and their product. `aBatch` and `bBatch` are the leading axes. */
function operands(
  [rows, depth, columns]: readonly [number, number, number],
  [transposeA, transposeB]: readonly [boolean, boolean],
  aBatch: readonly number[] = [],
  bBatch: readonly number[] = [],
) {
  const random = new SeededRandom(rows * 7 + depth * 5 + columns * 3 + Number(transposeA) * 2 + Number(transposeB));
  const a = { ...random.normals([...aBatch, ...(transposeA ? [depth, rows] : [rows, depth])]), transposed: transposeA };
  const b = { ...random.normals([...bBatch, ...(transposeB ? [columns, depth] : [depth, columns])]), transposed: transposeB };
  return { a, b, expected: matMulReference(a, b), run: () => tf.matMul(tensorOf(a), tensorOf(b), transposeA, transposeB) };
}

describeBackends(
  'matMul with our kernels',
  ({ tolerance }) => {
    let report: WasmReport;
    beforeAll(async () => {
      report = await enableWasmKernels();
    });
    afterAll(() => report.restore());
    // A product of normal factors has rms sqrt(depth); of a few elements that all cancel the rounding is still that of the terms.
    const close = (name: string, actual: tf.Tensor, expected: { shape: number[]; data: Float64Array }, depth = 0) =>
      assertClose(name, actual, expected, { relative: tolerance.forward, rmsFloor: Math.sqrt(depth) });

    const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 33];
    it.each(transposes)('agrees with float64 on odd sizes, transposes %s %s', async (transposeA, transposeB) => {
      for (const rows of sizes) {
        for (const columns of sizes) {
          for (const depth of [1, 3, 4, 6, 19]) {
            const { run, expected } = operands([rows, depth, columns], [transposeA, transposeB]);
            await close(`[${rows}, ${depth}, ${columns}]`, run(), expected, depth);
          }
        }
      }
    });

    const aroundBlocks = [
      [97, 257, 40],
      [96, 256, 8],
      [191, 255, 17],
      [5, 513, 513],
      [1, 600, 70],
      [2, 300, 515],
      [100, 12, 1030],
    ] as const;
    it.each(transposes)('agrees around the block sizes, transposes %s %s', async (transposeA, transposeB) => {
      for (const size of aroundBlocks) {
        const { run, expected } = operands(size, [transposeA, transposeB]);
        await close(String(size), run(), expected);
      }
    });

    const batches: [number[], number[]][] = [
      [[3], [3]],
      [[3], [1]],
      [[1], [3]],
      [[3], []],
      [[], [3]],
      [
        [2, 3],
        [2, 3],
      ],
      [
        [2, 1],
        [1, 3],
      ],
      [[3], [2, 3]],
      [
        [2, 1, 2],
        [3, 1],
      ],
    ];
    it.each(batches)('broadcasts leading axes %j and %j', async (aBatch, bBatch) => {
      for (const transposed of transposes) {
        const { run, expected } = operands([5, 6, 9], transposed, aBatch, bBatch);
        await close(`transposed ${transposed}`, run(), expected, 6);
      }
    });

    it('keeps the rounding error small over a long sum', async () => {
      for (const sign of [0, 1]) {
        const random = new SeededRandom(5);
        const a = { ...random.uniforms([6, 8192], sign - 1, 1), transposed: false };
        const b = { ...random.uniforms([8192, 9], sign - 1, 1), transposed: false };
        await close('product', tf.matMul(tensorOf(a), tensorOf(b)), matMulReference(a, b));
      }
    });

    it('gives an element the same bits whatever else is computed beside it, and whatever the layout', async () => {
      const { a, b, run } = operands([37, 300, 41], [false, false]);
      const whole = await run().data();
      const [left, right] = [tensorOf<tf.Tensor2D>(a), tensorOf<tf.Tensor2D>(b)];
      for (const transposed of transposes) {
        const [x, y] = [transposed[0] ? tf.transpose(left) : left, transposed[1] ? tf.transpose(right) : right];
        const laidOut = tf.matMul(x, y, ...transposed);
        expect(await laidOut.data()).toEqual(whole);
      }
      for (const rows of [1, 2, 3, 6]) {
        const part = await tf.matMul(tf.slice(left, [20, 0], [rows, 300]), right).data();
        expect(part).toEqual(whole.slice(20 * 41, (20 + rows) * 41));
      }
    });

    it('gives zeros, or nothing, where an axis is empty', async () => {
      for (const transposed of transposes) {
        expect(Array.from(await operands([2, 0, 3], transposed).run().data())).toEqual([0, 0, 0, 0, 0, 0]);
        expect(operands([0, 4, 3], transposed).run().shape).toEqual([0, 3]);
        expect(operands([2, 4, 0], transposed, [3]).run().shape).toEqual([3, 2, 0]);
        expect(operands([2, 4, 5], transposed, [0], [1]).run().shape).toEqual([0, 2, 5]);
      }
    });

    it('passes NaN and infinity on to the elements that depend on them', async () => {
      const a = tf.tensor2d([1, Number.NaN, 2, 3, Number.POSITIVE_INFINITY, 1], [3, 2]);
      const b = tf.tensor2d([1, 2, 3, 4], [2, 2]);
      expect(Array.from(await tf.matMul(a, b).data())).toEqual([Number.NaN, Number.NaN, 11, 16, Infinity, Infinity]);
    });

    it.each(transposes)('has the right gradients through tf.grads, transposes %s %s', async (transposeA, transposeB) => {
      const { a, b, expected } = operands([5, 7, 6], [transposeA, transposeB], [2], [2]);
      const dy = { ...new SeededRandom(3).normals(expected.shape), transposed: false };
      const product = (x: tf.Tensor, y: tf.Tensor) => tf.sum(tf.mul(tf.matMul(x, y, transposeA, transposeB), tensorOf(dy)));
      const [da, db] = tf.grads(product)([tensorOf(a), tensorOf(b)]);
      const flip = <T extends { transposed: boolean }>(operand: T) => ({ ...operand, transposed: !operand.transposed });
      // With op(a) op(b) = y: d op(a) = dy op(b)^T, and a transposed operand's gradient is the transpose of that.
      const wantA = transposeA ? matMulReference(b, flip(dy)) : matMulReference(dy, flip(b));
      const wantB = transposeB ? matMulReference(flip(dy), a) : matMulReference(flip(a), dy);
      await assertClose('a gradient', da!, wantA, { relative: tolerance.gradient });
      await assertClose('b gradient', db!, wantB, { relative: tolerance.gradient });
    });

    it('sees a weight that was written in place, which tfjs with its packed copies does not', async () => {
      const x = tf.ones([3, 4]) as tf.Tensor2D;
      const weight = tf.fill([4, 2], 1) as tf.Tensor2D;
      expect(Array.from(await tf.matMul(x, weight).data())).toEqual([4, 4, 4, 4, 4, 4]);
      const backend = tf.backend() as unknown as { typedArrayFromHeap(info: tf.TensorInfo): Float32Array };
      backend.typedArrayFromHeap(weight).fill(5);
      expect(Array.from(await tf.matMul(x, weight).data())).toEqual([20, 20, 20, 20, 20, 20]);
    });

    it('refuses what it cannot multiply, before the kernel runs', async () => {
      const [a, b] = [tf.zeros([2, 3]), tf.zeros([4, 5])];
      expect(() => tf.matMul(a, b)).toThrow(/inner axes differ, 3 in a and 4 in b\n {2}a \[2, 3\]\n {2}b \[4, 5\]/);
      expect(() => tf.matMul(tf.zeros([3]), b)).toThrow(/a must have 2 axes or more, has shape \[3\]/);
      expect(() => tf.matMul(tf.zeros([2, 5, 4]), tf.zeros([3, 4, 5]))).toThrow(/leading axes \[2\] of a and \[3\] of b/);
      expect(() => tf.matMul(tf.zeros([2, 4], 'int32'), tf.zeros([4, 5], 'int32'))).toThrow(
        /must be float32 on the wasm backend, is int32/,
      );
      expect(Array.from(await tf.matMul(tf.ones([1, 2]), tf.ones([2, 1])).data())).toEqual([2]);
    });

    it('does not leak', async () => {
      const [a, b] = [tf.ones([2, 5, 7]), tf.ones([2, 7, 6])];
      await expectNoLeak(() => tf.matMul(a, b));
      await expectNoLeak(() => tf.grads((x: tf.Tensor, y: tf.Tensor) => tf.matMul(x, y))([a, b]));
    });
  },
  { only: ['wasm'] },
);
