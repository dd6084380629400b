import { assertClose, describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enableWasmKernels, type WasmReport } from './enable-wasm-kernels';
import { erfReference, gatherReference, sliceReference, sumReference, transposeReference } from './reference';

const orders = (rank: number): number[][] =>
  rank === 0 ? [[]] : orders(rank - 1).flatMap((order) => order.concat(0).map((_, place) => order.toSpliced(place, 0, rank - 1)));

const inDtype = {
  float32: (x: number) => x,
  int32: (x: number) => Math.trunc(100 * x) + 0,
  bool: (x: number) => Number(x > 0),
};

describeBackends(
  "tfjs's kernels that ours replace",
  ({ tolerance }) => {
    let report: WasmReport;
    beforeAll(async () => {
      report = await enableWasmKernels();
    });
    afterAll(() => report.restore());
    const random = new SeededRandom(5);
    const values = async (x: tf.Tensor) => Array.from(await x.data());

    describe.each<[string, (x: tf.Tensor) => tf.Tensor, (x: number) => number, number]>([
      ['exp', tf.exp, Math.exp, 20],
      ['tanh', tf.tanh, Math.tanh, 3],
      ['erf', tf.erf, erfReference, 2],
    ])('%s', (_, op, exact, deviation) => {
      it.each([1, 2, 3, 4, 5, 7, 8, 9, 1031])('is exact on %s elements', async (size) => {
        const x = random.normals([size], deviation);
        const expected = { shape: [size], data: x.data.map(exact) };
        await assertClose('output', op(tensorOf(x)), expected, { relative: tolerance.forward });
      });

      it('keeps the digits of small results', async () => {
        const x = random.uniforms([1000], -1e-3, 1e-3);
        const ratios = (await values(op(tensorOf(x)))).map((y, i) => y / exact(x.data[i]!));
        await assertClose('ratio', ratios, ratios.fill(1), { relative: 1e-6 });
      });

      it('takes the ends of the range, integers where tfjs does, and no elements', async () => {
        const ends = await values(op(tf.tensor1d([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, Number.NaN])));
        expect(ends).toEqual(
          [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, Number.NaN].map((x) => Math.fround(exact(x))),
        );
        expect(op(tf.zeros([0, 3])).shape).toEqual([0, 3]);
        if (op === tf.tanh) return;
        const integers = await values(op(tf.tensor1d([0, 1, 2], 'int32')));
        await assertClose('integers', integers, [0, 1, 2].map(exact), { relative: 1e-6 });
      });
    });

    it('softmax agrees with float64, takes no elements, and a row of -Infinity gives 0', async () => {
      for (const shape of [[1], [5], [3, 1], [7, 67], [2, 3, 130]]) {
        const x = random.normals(shape, 5);
        const width = shape.at(-1)!;
        const weights = x.data.map(Math.exp);
        const total = (i: number) =>
          weights.slice(i - (i % width), i - (i % width) + width).reduce((sum, weight) => sum + weight);
        const expected = { shape, data: weights.map((weight, i) => weight / total(i)) };
        await assertClose('output', tf.softmax(tensorOf(x)), expected, { relative: tolerance.forward });
      }
      expect(tf.softmax(tf.zeros([3, 0])).shape).toEqual([3, 0]);
      expect(tf.softmax(tf.zeros([0, 3])).shape).toEqual([0, 3]);
      expect(await values(tf.softmax(tf.fill([2], Number.NEGATIVE_INFINITY)))).toEqual([0, 0]);
    });

    describe('sum', () => {
      const shapes = [
        [1],
        [7],
        [1031],
        [3, 5],
        [67, 3],
        [300, 18],
        [2, 600, 4],
        [5, 1, 7],
        [3, 5, 2, 7],
        [2, 3, 1, 4, 5],
        [9, 2055],
      ];
      it.each(shapes)('agrees with float64 over all axes of [%s, %s, %s, %s, %s]', async (...given) => {
        const shape = given.filter((size) => size !== undefined);
        const x = random.uniforms(shape, -0.5, 1);
        for (let set = 0; set < 2 ** shape.length; set++) {
          const axes = shape.map((_, axis) => axis).filter((axis) => set & (1 << axis));
          const expected = sumReference(x, axes);
          await assertClose(`sum over ${axes}`, tf.sum(tensorOf(x), axes), expected, { relative: 3e-7 });
          const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
          expect(tf.sum(tensorOf(x), axes, true).shape).toEqual(kept);
        }
      });

      it('does not lose digits over a long axis', async () => {
        const x = random.uniforms([100_000, 2], 0, 1);
        await assertClose('first axis', tf.sum(tensorOf(x), 0), sumReference(x, [0]), { relative: 2e-7 });
        await assertClose('all axes', tf.sum(tensorOf(x)), sumReference(x, [0, 1]), { relative: 2e-7 });
        const wide = random.uniforms([5000, 17], 0, 1);
        await assertClose('wide', tf.sum(tensorOf(wide), 0), sumReference(wide, [0]), { relative: 2e-7 });
      });

      it('of no elements is 0', async () => {
        expect(await values(tf.sum(tf.zeros([0])))).toEqual([0]);
        expect(await values(tf.sum(tf.zeros([0, 3]), 0))).toEqual([0, 0, 0]);
        expect(await values(tf.sum(tf.zeros([2, 0], 'int32'), 1))).toEqual([0, 0]);
        expect(tf.sum(tf.zeros([0, 3]), 1).shape).toEqual([0]);
      });

      it('takes integers and booleans', async () => {
        const integers = tf.tensor2d([16777217, 1, 2, -5, 3, 7], [3, 2], 'int32');
        expect(await values(tf.sum(integers, 0))).toEqual([16777222, 3]);
        expect(await values(tf.sum(integers))).toEqual([16777225]);
        expect(await values(tf.sum(tf.tensor1d([true, false, true], 'bool')))).toEqual([2]);
      });
    });

    describe('transpose', () => {
      it.each([[7], [5, 3], [16, 21], [9, 5, 7], [1, 6, 1], [4, 3, 5, 8], [2, 3, 1, 4, 3], [2, 3, 2, 2, 3, 2]])(
        'is exact for every order of [%s, %s, %s, %s, %s, %s]',
        async (...given) => {
          const shape = given.filter((size) => size !== undefined);
          const x = random.normals(shape);
          const every = orders(shape.length).filter((_, i) => shape.length < 5 || i % 17 === 0);
          for (const order of every) {
            for (const dtype of ['float32', 'int32', 'bool'] as const) {
              const own = { shape, data: x.data.map(inDtype[dtype]) };
              const moved = tf.transpose(tf.tensor(Array.from(own.data), shape, dtype), order);
              const expected = transposeReference(own, order);
              expect(moved.shape).toEqual(expected.shape);
              expect(await values(moved)).toEqual(Array.from(expected.data));
            }
          }
        },
      );

      it('takes no elements, and refuses what is no order', () => {
        expect(tf.transpose(tf.zeros([2, 0, 3])).shape).toEqual([3, 0, 2]);
        expect(() => tf.transpose(tf.zeros([2, 3]), [0, 0])).toThrow(/perm must be an order of the 2 axes of x, is \[0,0\]/);
      });
    });

    it('identity shares the data, which live as long as one of its tensors', async () => {
      const x = tf.tensor1d([1, 2]);
      const copy = tf.clone(x);
      expect(copy.dataId).toBe(x.dataId);
      x.dispose();
      expect(await values(copy)).toEqual([1, 2]);
      expect(await values(tf.clone(tf.tensor1d(['a', 'b'])))).toEqual(['a', 'b']);
      expect(tf.clone(tf.zeros([0])).shape).toEqual([0]);
    });

    describe('slice', () => {
      const cases: [shape: number[], begin: number[], size: number[]][] = [
        [[7], [2], [4]],
        [[7], [0], [7]],
        [
          [5, 6],
          [1, 0],
          [3, 6],
        ],
        [
          [5, 6],
          [1, 2],
          [3, 3],
        ],
        [
          [5, 6],
          [0, 5],
          [5, 1],
        ],
        [
          [5, 6],
          [4, 5],
          [1, 1],
        ],
        [
          [3, 4, 5],
          [1, 1, 1],
          [2, 2, 4],
        ],
        [
          [3, 4, 5],
          [0, 1, 0],
          [3, 2, 5],
        ],
        [
          [2, 3, 4, 200],
          [1, 0, 1, 3],
          [1, 3, 2, 190],
        ],
        [
          [2, 3, 2, 3, 4],
          [0, 1, 1, 0, 2],
          [2, 2, 1, 3, 2],
        ],
        [
          [2, 2, 3, 2, 3, 2],
          [1, 0, 1, 1, 0, 1],
          [1, 2, 2, 1, 3, 1],
        ],
        [
          [3, 4],
          [1, 2],
          [0, 2],
        ],
      ];
      it.each(cases)('is exact: %j from %j, %j', async (shape, begin, size) => {
        const x = random.normals(shape);
        const expected = Array.from(sliceReference(x, begin, size).data);
        const part = tf.slice(tensorOf(x), begin, size);
        expect(part.shape).toEqual(size);
        expect(await values(part)).toEqual(expected);
        const signs = tf.tensor(
          Array.from(x.data, (value) => Number(value > 0)),
          shape,
          'bool',
        );
        expect(await values(tf.slice(signs, begin, size))).toEqual(expected.map((value) => Number(value > 0)));
      });

      it('takes strings, and refuses what is outside', async () => {
        expect(await values(tf.slice(tf.tensor1d(['a', 'b', 'c']), 1, 2))).toEqual(['b', 'c']);
        expect(() => tf.slice(tf.zeros([3, 4]), [1, 1], [3, 3])).toThrow(/\[3, ?4\]|begin|size/);
      });
    });

    describe('gather', () => {
      const cases: [shape: number[], indices: number[], axis: number, batchDims: number][] = [
        [[5], [3], 0, 0],
        [[5, 3], [4], 0, 0],
        [[5, 3], [2, 3], 1, 0],
        [[4, 5, 130], [3], 0, 0],
        [[4, 5, 3], [2], 1, 0],
        [[4, 5, 3], [4, 2], 1, 1],
        [[2, 3, 5, 4], [2, 3], 3, 1],
        [[5, 3], [], 0, 0],
        [[5, 3], [0], 0, 0],
        [[5, 0], [2], 0, 0],
      ];
      it.each(cases)('is exact: %j by %j along %s, batch %s', async (shape, places, axis, batchDims) => {
        const x = random.normals(shape);
        const count = places.reduce((all, size) => all * size, 1);
        const own = { shape: places, data: Array.from({ length: count }, () => random.integer(shape[axis]!)) };
        const indices = tf.tensor(own.data, places, 'int32');
        const expected = gatherReference(x, own, axis, batchDims);
        const found = tf.gather(tensorOf(x), indices, axis, batchDims);
        expect(found.shape).toEqual(expected.shape);
        expect(await values(found)).toEqual(Array.from(expected.data));
        const signs = tf.tensor(
          Array.from(x.data, (value) => Number(value > 0)),
          shape,
          'bool',
        );
        const want = Array.from(expected.data, (value) => Number(value > 0));
        expect(await values(tf.gather(signs, indices, axis, batchDims))).toEqual(want);
      });

      it.each([-1, 5])('refuses the index %s', (index) => {
        const indices = tf.tensor1d([0, index], 'int32');
        expect(() => tf.gather(tf.zeros([5, 2]), indices)).toThrow(
          new RegExp(`index 1 is ${index}, axis 0 of x has places 0 to 4`),
        );
      });
    });

    it('nothing leaks', async () => {
      const x = tf.ones([4, 6, 5]);
      const indices = tf.tensor1d([0, 1], 'int32');
      await expectNoLeak(() => [tf.exp(x), tf.tanh(x), tf.erf(x), tf.softmax(x), tf.sum(x, [0, 2]), tf.sum(x, [])]);
      await expectNoLeak(() => [tf.transpose(x, [2, 0, 1]), tf.transpose(x, [2, 1, 0]), tf.transpose(x, [0, 1, 2]), tf.clone(x)]);
      await expectNoLeak(() => [tf.slice(x, [1, 0, 2], [2, 6, 2]), tf.slice(x, 0, 4), tf.gather(x, indices, 1)]);
    });
  },
  { only: ['wasm'] },
);
