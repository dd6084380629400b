import {
  assertClose,
  describeForms,
  expectNoLeak,
  numericalGradient,
  SeededRandom,
  type ShapedValues,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { matMulReference } from '../wasm-kernels/reference';
import { matMul } from './mat-mul';

const product = (a: tf.Tensor, b: tf.Tensor) => matMul(a, b);

const transposes = [
  [false, false],
  [true, false],
  [false, true],
  [true, true],
] as const;

/** Leading axes of a and of b, then M, K, N. */
const sizes = [
  [[], [], [1, 1, 1]],
  [[], [], [5, 3, 7]],
  [[3], [], [2, 5, 4]],
  [[2, 3], [], [4, 2, 3]],
  [[3], [3], [5, 2, 3]],
  [
    [2, 1, 2],
    [2, 1, 2],
    [3, 4, 2],
  ],
  [[2], [], [33, 17, 9]],
  [[2], [2], [4, 8, 12]],
  [[], [], [3, 300, 2]],
] as const;

describeForms('matMul', { fused: ['wasm', 'webgpu'] }, (form) => {
  const random = new SeededRandom(1);

  test('takes the same numbers as right factors of several shapes', async () => {
    const numbers = random.normals([2, 96]);
    const right = tensorOf(numbers);
    for (const columns of [96, 3, 48]) {
      const rows = 192 / columns;
      const a = random.normals([5, rows]);
      const made = form.run(() => matMul(tensorOf(a), tf.reshape(right, [rows, columns])));
      const expected = matMulReference(
        { shape: a.shape, data: a.data, transposed: false },
        { shape: [rows, columns], data: numbers.data, transposed: false },
      );
      await assertClose(`${columns} columns`, made, expected, { relative: form.tolerance.forward });
    }
  });

  test.each(transposes)('agrees with the reference, and its gradients with differences, transposed %s %s', async (...which) => {
    const [transposeA, transposeB] = which;
    for (const [aBatch, bBatch, [rows, depth, columns]] of sizes) {
      if (form.label.startsWith('wasm') && form.form === 'fused' && transposeA && aBatch.length > 0 && bBatch.length === 0)
        continue;
      const a = random.normals([...aBatch, ...(transposeA ? [depth, rows] : [rows, depth])]);
      const b = random.normals([...bBatch, ...(transposeB ? [columns, depth] : [depth, columns])]);
      const cotangent = random.normals([...aBatch, rows, columns]);
      const reference = (x: ArrayLike<number>, y: ArrayLike<number>) =>
        matMulReference({ shape: a.shape, data: x, transposed: transposeA }, { shape: b.shape, data: y, transposed: transposeB });
      const call = (x: tf.Tensor, y: tf.Tensor) => matMul(x, y, { transposeA, transposeB });
      const { value, grads } = form.run(() => tf.valueAndGrads(call)([tensorOf(a), tensorOf(b)], tensorOf(cotangent)));
      const name = JSON.stringify([aBatch, bBatch, rows, depth, columns]);
      await assertClose(name, value, reference(a.data, b.data), { relative: form.tolerance.forward, rmsFloor: Math.sqrt(depth) });
      const expected = numericalGradient(
        (x) => reference(x.a, x.b).data,
        { a: a.data, b: b.data },
        { cotangent: cotangent.data },
      );
      for (const [i, given] of [a, b].entries()) {
        const gradient: ShapedValues = { shape: given.shape, data: expected['ab'[i]!]! };
        await assertClose(`${name} gradient ${i}`, grads[i]!, gradient, { relative: form.tolerance.gradient });
      }
    }
  });

  test('the gradient of a shared matrix keeps its promise over 8,192 rows', async () => {
    const [a, cotangent] = [random.normals([8, 1024, 3]), random.normals([8, 1024, 2])];
    const call = (b: tf.Tensor) => matMul(tensorOf(a), b);
    const gradient = form.run(() => tf.grad(call)(tf.ones([3, 2]), tensorOf(cotangent)));
    const [left, right] = [a, cotangent].map((x) => ({ shape: [8192, x.shape[2]!], data: x.data }));
    const expected = matMulReference({ ...left!, transposed: true }, { ...right!, transposed: false });
    await assertClose('gradient of b', gradient, expected, { relative: form.tolerance.gradient });
  });

  test('products of nothing are zeros, and so are their gradients', async () => {
    for (const [a, b] of [
      [
        [2, 3, 0],
        [0, 4],
      ],
      [
        [0, 3, 2],
        [2, 4],
      ],
      [
        [2, 3, 5],
        [5, 0],
      ],
      [
        [2, 0, 5],
        [2, 5, 4],
      ],
    ] as const) {
      const { value, grads } = form.run(() => tf.valueAndGrads(product)([tf.ones([...a]), tf.ones([...b])]));
      expect(value.shape).toEqual([...a.slice(0, -1), b.at(-1)]);
      expect(grads.map((gradient) => gradient.shape)).toEqual([a, b]);
      for (const tensor of [value, ...grads]) expect((await tensor.data()).every((x) => x === 0)).toBe(true);
    }
  });

  test('leaks nothing', async () => {
    const [a, b] = [tf.ones([2, 3, 4]), tf.ones([4, 5])];
    await expectNoLeak(() => tf.tidy(() => tf.dispose(form.run(() => tf.valueAndGrads(product)([a, b])) as never)));
  });
});
