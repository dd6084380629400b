import { assertClose, describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { enableWasmKernels, type WasmReport } from './enable-wasm-kernels';

/** Sums rows of `width` numbers by id in float64; ids outside are dropped. */
function segmentSums(values: ArrayLike<number>, ids: readonly number[], width: number, segments: number): Float64Array {
  const sums = new Float64Array(segments * width);
  ids.forEach((id, i) => {
    for (let j = 0; id >= 0 && id < segments && j < width; j++) sums[id * width + j]! += values[i * width + j]!;
  });
  return sums;
}

describeBackends(
  'unsortedSegmentSum',
  ({ tolerance }) => {
    let report: WasmReport;
    beforeAll(async () => {
      report = await enableWasmKernels();
    });
    afterAll(() => report.restore());
    const random = new SeededRandom(2);

    it.each([[], [1], [3], [4], [5], [8], [2, 7]])('sums rows of shape [%s, %s] and drops ids outside', async (...shape) => {
      const rest = shape.filter((size) => size !== undefined);
      const width = rest.reduce((product, size) => product * size, 1);
      const ids = [3, 0, 3, -1, 5, 2, 100, 3, -2147483648];
      const x = random.normals([ids.length, ...rest]);
      const sums = tf.unsortedSegmentSum(tensorOf(x), tf.tensor1d(ids, 'int32'), 5);
      const expected = { shape: [5, ...rest], data: segmentSums(x.data, ids, width, 5) };
      await assertClose('sums', sums, expected, { relative: tolerance.forward });
    });

    it('sums integers exactly, beyond 2^24', async () => {
      const sums = tf.unsortedSegmentSum(
        tf.tensor2d(
          [
            [16777217, 1],
            [2, -5],
            [3, 7],
          ],
          [3, 2],
          'int32',
        ),
        tf.tensor1d([1, 1, 0], 'int32'),
        2,
      );
      expect(sums.dtype).toBe('int32');
      expect(Array.from(await sums.data())).toEqual([3, 7, 16777219, -4]);
    });

    it('gives zeros for no rows, and nothing for no segments', async () => {
      const none = tf.tensor1d([], 'int32');
      expect(Array.from(await tf.unsortedSegmentSum(tf.zeros([0, 2]), none, 2).data())).toEqual([0, 0, 0, 0]);
      expect(tf.unsortedSegmentSum(tf.ones([2, 3]), tf.tensor1d([0, 1], 'int32'), 0).shape).toEqual([0, 3]);
    });

    it('is the gradient of tf.gather', async () => {
      const ids = [4, 1, 4, 0, 4, 2];
      const dy = random.normals([2, 3, 5]);
      const gradient = tf.grad((table: tf.Tensor) =>
        tf.sum(tf.mul(tf.gather(table, tf.tensor2d(ids, [2, 3], 'int32')), tensorOf(dy))),
      )(tensorOf(random.normals([6, 5])));
      const expected = { shape: [6, 5], data: segmentSums(dy.data, ids, 5, 6) };
      await assertClose('table gradient', gradient, expected, { relative: tolerance.gradient });
    });

    it('refuses ids that do not fit the data', () => {
      const x = tf.ones([3, 2]);
      expect(() => tf.unsortedSegmentSum(x, tf.tensor1d([0, 1], 'int32'), 2)).toThrow(/one id per row of x\n {2}x {11}\[3, 2\]/);
      expect(() => tf.unsortedSegmentSum(x, tf.tensor2d([0, 1, 1], [3, 1], 'int32') as never, 2)).toThrow(/one id per row/);
      expect(() => tf.unsortedSegmentSum(x, tf.tensor1d([0, 1, 1], 'int32'), -1)).toThrow(
        /numSegments must be an integer, 0 or above, is -1/,
      );
      expect(() => tf.unsortedSegmentSum(tf.zeros([1], 'bool'), tf.tensor1d([0], 'int32'), 2)).toThrow(/float32 or int32/);
    });

    it('does not leak', async () => {
      const [x, ids] = [tf.ones([3, 2]), tf.tensor1d([0, 1, 0], 'int32')];
      await expectNoLeak(() => tf.unsortedSegmentSum(x, ids, 2));
    });
  },
  { only: ['wasm'] },
);
