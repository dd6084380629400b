import { describeForms, expectNoLeak, runConformance, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { agrees } from '../test-agreement';
import { mixedProduct } from './mixed-product';
import { mixedProductReference } from './reference';

const shapes: [a: number[], b: number[]][] = [
  [[1], [1]],
  [
    [1, 3],
    [1, 2, 2],
  ],
  [
    [3, 2, 3],
    [3, 5],
  ],
  [[7], [7, 3]],
  [[7, 5], [7]],
];

describeForms('mixedProduct', { fused: ['wasm', 'webgpu'] }, (form) => {
  runConformance(form, 'mixedProduct', ({ a, b }) => mixedProduct(a!, b!));

  test.each(form.name === 'webgpu' ? shapes.slice(2, 3) : shapes)('agrees with the reference at %j and %j', async (a, b) => {
    const random = new SeededRandom(a.length + b[0]!);
    const inputs = { a: random.normals(a), b: random.normals(b) };
    const terms = a[0]!;
    const size = (inputs.a.data.length / terms) * (inputs.b.data.length / terms);
    await agrees(
      form,
      inputs,
      (given) => mixedProduct(given.a, given.b),
      (plain) => mixedProductReference(terms, plain.a, plain.b),
      random.normals([size]).data,
    );
  });

  test("is bilinear, and joins families: (a + a') o (b + b') = a o b + a' o b' for families one behind the other", async () => {
    const random = new SeededRandom(3);
    const [a, c] = [random.normals([2, 3]), random.normals([3, 3])];
    const [b, d] = [random.normals([2, 4]), random.normals([3, 4])];
    const joined = form.run(() => mixedProduct(tf.concat([tensorOf(a), tensorOf(c)]), tf.concat([tensorOf(b), tensorOf(d)])));
    const parts = form.run(() => tf.add(mixedProduct(tensorOf(a), tensorOf(b)), mixedProduct(tensorOf(c), tensorOf(d))));
    expect(tf.util.arraysEqual(joined.shape, [3, 4])).toBe(true);
    const [got, want] = await Promise.all([joined.data(), parts.data()]);
    got.forEach((value, i) => {
      expect(value).toBeCloseTo(want[i]!, 4);
    });
  });

  test('leaks nothing', async () => {
    const [a, b] = [tf.ones([3, 2]), tf.ones([3, 4])];
    await expectNoLeak(() => form.run(() => mixedProduct(a, b)).dispose());
  });

  test('of a family without numbers is empty, of one member the outer product', async () => {
    expect(form.run(() => mixedProduct(tf.zeros([2, 0]), tf.ones([2, 3]))).shape).toEqual([0, 3]);
    const outer = form.run(() => mixedProduct(tf.tensor2d([[1, 2]]), tf.tensor2d([[3, 4, 5]])));
    expect(Array.from(await outer.data())).toEqual([3, 4, 5, 6, 8, 10]);
  });

  test('refuses what does not fit', () => {
    const wrong = () => mixedProduct(tf.ones([2, 3]), tf.ones([3, 3]));
    expect(wrong).toThrow("mixedProduct: axis 'terms' is 2 in a but 3 in b");
    expect(() => mixedProduct(tf.scalar(1), tf.ones([1]))).toThrow('mixedProduct: a must have at least 1 axis');
    expect(() => mixedProduct(tf.ones([2], 'int32'), tf.ones([2]))).toThrow('mixedProduct: a must be float32');
  });
});

test('the same product for every gauge of the factors', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e6 }), (seed) => {
      // (G^T a) o (G^-1 b) = a o b for an invertible G, here of two terms.
      const random = new SeededRandom(seed);
      const [a, b] = [random.normals([2, 3]).data, random.normals([2, 4]).data];
      const [p, q, r, s] = random.uniforms([4], 1, 3).data as unknown as [number, number, number, number];
      const determinant = p * s * 4 - q * r;
      const g = [
        [2 * p, q],
        [r, 2 * s],
      ] as const;
      fc.pre(Math.abs(determinant) > 0.5);
      const inverse = [
        [(2 * s) / determinant, -q / determinant],
        [-r / determinant, (2 * p) / determinant],
      ] as const;
      const turned = (rows: Float64Array, columns: number, weight: (k: number, l: number) => number) =>
        Float64Array.from(rows, (_, i) => {
          const [k, j] = [Math.floor(i / columns), i % columns];
          return weight(k, 0) * rows[j]! + weight(k, 1) * rows[columns + j]!;
        });
      const first = mixedProductReference(2, a, b);
      const second = mixedProductReference(
        2,
        turned(a, 3, (k, l) => g[l]![k]!),
        turned(b, 4, (k, l) => inverse[k]![l]!),
      );
      first.forEach((value, i) => {
        expect(second[i]).toBeCloseTo(value, 9);
      });
    }),
    { numRuns: 20 },
  );
});
