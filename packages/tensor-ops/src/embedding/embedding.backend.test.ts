import { assertClose, describeForms, expectNoLeak, numericalGradient, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { embedding } from './embedding';
import { embeddingGradientReference, embeddingReference } from './reference';

const cases: [classes: number, dim: number, ids: number[]][] = [
  [1, 1, [1]],
  [5, 3, []],
  [7, 4, [2, 3]],
  [3, 5, [11]],
  [300, 2, [3, 1, 5]],
  [5, 67, [2, 1, 2, 3]],
  [11, 300, [513]],
  [4100, 1, [7]],
];

const idsOf = (random: SeededRandom, shape: number[], classes: number) =>
  Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.integer(classes));

describeForms('embedding', { fused: ['wasm', 'webgpu'] }, (form) => {
  const differentiate = (table: tf.Tensor2D, ids: tf.Tensor, cotangent: tf.Tensor) =>
    form.run(() => tf.valueAndGrad((x: tf.Tensor2D) => embedding(x, ids))(table, cotangent));

  test.each(cases)('agrees with the reference, gradient too: %i classes, %i columns, ids [%s]', async (classes, dim, shape) => {
    const random = new SeededRandom(classes);
    const ids = idsOf(random, shape, classes);
    const [table, cotangent] = [random.normals([classes, dim]), random.normals([...shape, dim])];
    const { value, grad } = differentiate(tensorOf(table), tf.tensor(ids, shape, 'int32'), tensorOf(cotangent));
    const expected = embeddingReference(table.data, ids, classes, dim);
    await assertClose('output', value, { shape: [...shape, dim], data: expected }, { relative: 0, absolute: 0 });
    const dTable = embeddingGradientReference(cotangent.data, ids, classes, dim);
    await assertClose('dTable', grad, { shape: [classes, dim], data: dTable }, { relative: form.tolerance.gradient });
  });

  test('has the gradient of central differences', async () => {
    const random = new SeededRandom(2);
    const ids = [3, 0, 3, 1];
    const [table, cotangent] = [random.normals([5, 3]), random.normals([4, 3])];
    const expected = numericalGradient(
      (at) => embeddingReference(at.table, ids, 5, 3),
      { table: table.data },
      { cotangent: cotangent.data },
    );
    const { grad } = differentiate(tensorOf(table), tf.tensor1d(ids, 'int32'), tensorOf(cotangent));
    await assertClose('dTable', grad, expected.table!, { relative: form.tolerance.gradient });
  });

  test('an id outside the table gives zeros and receives nothing', async () => {
    const ids = [0, -1, 4, 5, 2, 2147483647, -2147483648, 0];
    const random = new SeededRandom(3);
    const [table, cotangent] = [random.normals([4, 3]), random.normals([8, 3])];
    // What arrives at no class may be anything.
    cotangent.data.fill(Number.NaN, 3, 6);
    const { value, grad } = differentiate(tensorOf(table), tf.tensor1d(ids, 'int32'), tensorOf(cotangent));
    await assertClose('output', value, embeddingReference(table.data, ids, 4, 3), { relative: 0, absolute: 0 });
    const expected = embeddingGradientReference(cotangent.data, ids, 4, 3);
    await assertClose('dTable', grad, expected, { relative: form.tolerance.gradient });
  });

  test('keeps its promise when one id stands 8,192 times', async () => {
    const random = new SeededRandom(4);
    const ids = Array.from({ length: 8192 }, (_, i) => (i % 8 === 7 ? 2 : 1));
    for (const cotangent of [random.normals([8192, 2]), random.uniforms([8192, 2])]) {
      const { grad } = differentiate(tf.zeros([3, 2]), tf.tensor1d(ids, 'int32'), tensorOf(cotangent));
      const expected = embeddingGradientReference(cotangent.data, ids, 3, 2);
      await assertClose('dTable', grad, expected, { relative: form.tolerance.gradient });
    }
  });

  test('the gradient sums to what arrived; a permuted table with permuted ids gives the same rows', async () => {
    const property = fc.asyncProperty(
      fc.nat(),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 30 }),
      async (seed, dim, count) => {
        const random = new SeededRandom(seed);
        const ids = tf.tensor1d(idsOf(random, [count], 6), 'int32');
        const [table, cotangent] = [
          tensorOf<tf.Tensor2D>(random.normals([6, dim])),
          tensorOf<tf.Tensor2D>(random.normals([count, dim])),
        ];
        const { value, grad } = differentiate(table, ids, cotangent);
        const reversed = form.run(() => embedding(tf.reverse(table, 0), tf.sub(tf.scalar(5, 'int32'), ids)));
        expect(await reversed.data()).toEqual(await value.data());
        await assertClose('sum', tf.sum(grad, 0), tf.sum(cotangent, 0), { relative: 2e-5, absolute: 1e-6 });
      },
    );
    await fc.assert(property, { numRuns: 8, seed: 42 });
  });

  test('no ids give an empty result and zeros as the gradient; an empty table gives zeros', async () => {
    const none = differentiate(tf.ones([3, 2]), tf.tensor([], [4, 0], 'int32'), tf.zeros([4, 0, 2]));
    expect(none.value.shape).toEqual([4, 0, 2]);
    expect(Array.from(await none.grad.data())).toEqual([0, 0, 0, 0, 0, 0]);
    const empty = differentiate(tf.zeros([0, 2]), tf.tensor1d([1, 0], 'int32'), tf.ones([2, 2]));
    expect(Array.from(await empty.value.data())).toEqual([0, 0, 0, 0]);
    expect(empty.grad.shape).toEqual([0, 2]);
    expect(differentiate(tf.zeros([3, 0]), tf.tensor1d([1], 'int32'), tf.zeros([1, 0])).grad.shape).toEqual([3, 0]);
  });

  test('NaN stays in its row of the table', async () => {
    const output = form.run(() => embedding(tf.tensor2d([1, Number.NaN, 2], [3, 1]), tf.tensor1d([0, 1, 7, 2], 'int32')));
    expect(Array.from(await output.data())).toEqual([1, Number.NaN, 0, 2]);
  });

  test('names what it refuses', () => {
    const run = (...args: unknown[]) => form.run(() => (embedding as (...all: unknown[]) => tf.Tensor)(...args));
    expect(() => run(tf.ones([2, 3]), tf.ones([2]))).toThrow(
      "embedding: ids must be int32, got float32; cast it with ids.cast('int32')",
    );
    expect(() => run(tf.ones([2]), tf.zeros([2], 'int32'))).toThrow('embedding: table must have 2 axes [classes dim], got 1');
    expect(() => run(tf.ones([2, 3]), [1])).toThrow('embedding: ids must be a Tensor, got an array');
  });

  test('leaks nothing and gives the same bits on every run', async () => {
    const random = new SeededRandom(5);
    const ids = tf.tensor2d(idsOf(random, [20, 50], 9), [20, 50], 'int32');
    const [table, cotangent] = [tensorOf<tf.Tensor2D>(random.normals([9, 5])), tensorOf(random.normals([20, 50, 5]))];
    await expectNoLeak(() => form.run(() => embedding(table, ids)).dispose());
    await expectNoLeak(() => tf.tidy(() => void differentiate(table, ids, cotangent)));
    if (form.form === 'composed' && form.name === 'webgpu') return;
    const [a, b] = [0, 1].map(() => differentiate(table, ids, cotangent).grad);
    expect(await a!.data()).toEqual(await b!.data());
  });
});
