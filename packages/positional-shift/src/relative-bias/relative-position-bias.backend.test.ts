import { scaledDotProductAttention } from '@mixfold/mixed-product';
import { assertClose, describeForms, expectNoLeak, numericalGradient, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { offsetFromKeyMinusQuery } from '../offsets';
import { alibiBias, alibiSlopes } from './alibi-bias';
import { relativePositionBias } from './relative-position-bias';
import { t5Bias, t5Buckets } from './t5-bias';
import { tisaBias } from './tisa-bias';

// Orientation: bias [heads, target, source], offset = target - source, the middle column of a table is offset 0.

/** A table over offsets as a matrix, by its definition. */
function spread(values: ArrayLike<number>, heads: number, columns: number, n: number): Float64Array {
  const at = (i: number) => {
    const [head, target, source] = [Math.floor(i / n / n), Math.floor(i / n) % n, i % n];
    return values[head * columns + (columns - 1) / 2 + target - source]!;
  };
  return Float64Array.from({ length: heads * n * n }, (_, i) => at(i));
}

describeForms('relativePositionBias', { fused: ['wasm', 'webgpu'] }, (form) => {
  test.each([
    [1, 1, 1],
    [2, 3, 2],
    [3, 13, 7],
    [2, 19, 7],
    [1, 133, 67],
  ])(
    'agrees with its definition, and its gradient sums over diagonals: %i heads, %i columns, N %i',
    async (heads, columns, n) => {
      const random = new SeededRandom(n);
      const [values, cotangent] = [random.normals([heads, columns]), random.normals([heads, n, n])];
      const call = (x: tf.Tensor) => relativePositionBias(x as tf.Tensor2D, n);
      const { value, grad } = form.run(() => tf.valueAndGrad(call)(tensorOf(values), tensorOf<tf.Tensor3D>(cotangent)));
      expect(value.shape).toEqual([heads, n, n]);
      expect(await value.data()).toEqual(Float32Array.from(spread(values.data, heads, columns, n)));
      const expected = new Float64Array(heads * columns);
      cotangent.data.forEach((g, i) => {
        const offset = (Math.floor(i / n) % n) - (i % n);
        expected[Math.floor(i / n / n) * columns + (columns - 1) / 2 + offset]! += g;
      });
      await assertClose('dValues', grad, expected, { relative: form.tolerance.gradient });
    },
  );

  test('names what it refuses, and leaks nothing', async () => {
    const run = (columns: number, n: number) => () => form.run(() => relativePositionBias(tf.ones([2, columns]), n));
    expect(run(6, 3)).toThrow(
      'relativePositionBias: values must have 2 N - 1 = 5 columns, one per offset, or a larger odd number, got 6',
    );
    expect(run(3, 3)).toThrow('got 3');
    expect(run(3, 1.5)).toThrow('relativePositionBias: N must be an integer, 0 or above, got 1.5');
    expect(run(3, 0)().shape).toEqual([2, 0, 0]);
    const values = tf.ones([2, 5]) as tf.Tensor2D;
    await expectNoLeak(() => form.run(() => relativePositionBias(values, 3)).dispose());
    await expectNoLeak(() =>
      tf.tidy(() => void form.run(() => tf.grad((x: tf.Tensor) => relativePositionBias(x as tf.Tensor2D, 3))(values))),
    );
  });
});

describeForms('relative biases', { fused: ['wasm'], only: ['cpu', 'wasm'] }, (form) => {
  // The profile of TISA has no kernel of its own: only what calls the others runs fused.
  const anyForm = <T>(fn: () => T): T => (form.form === 'fused' ? fn() : form.run(fn));

  test('the table over offsets learns through attention', async () => {
    const random = new SeededRandom(2);
    const [heads, n, headDim] = [2, 5, 3];
    const shape = [1, heads, n, headDim];
    const [q, k, v, cotangent] = [0, 1, 2, 3].map(() => random.normals(shape));
    const values = random.normals([heads, 2 * n - 1]);
    const attend = (table: tf.Tensor) => {
      const bias = relativePositionBias(table as tf.Tensor2D, n);
      const [query, key, value] = [q!, k!, v!].map((x) => tensorOf<tf.Tensor4D>(x)) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
      return scaledDotProductAttention(query, key, value, { bias, causal: true });
    };
    const reference = (table: ArrayLike<number>) => {
      const bias = spread(table, heads, 2 * n - 1, n);
      const output = new Float64Array(heads * n * headDim);
      for (let h = 0; h < heads; h++) {
        for (let t = 0; t < n; t++) {
          const row = (x: ArrayLike<number>, at: number) =>
            Array.from({ length: headDim }, (_, c) => x[(h * n + at) * headDim + c]!);
          const scores = Array.from({ length: t + 1 }, (_, s) => {
            const dot = row(q!.data, t).reduce((sum, x, c) => sum + x * row(k!.data, s)[c]!, 0);
            return Math.exp(dot / Math.sqrt(headDim) + bias[(h * n + t) * n + s]!);
          });
          const total = scores.reduce((a, b) => a + b, 0);
          for (let c = 0; c < headDim; c++) {
            output[(h * n + t) * headDim + c] = scores.reduce((sum, p, s) => sum + (p / total) * row(v!.data, s)[c]!, 0);
          }
        }
      }
      return output;
    };
    const { value, grad } = form.run(() => tf.valueAndGrad(attend)(tensorOf(values), tensorOf<tf.Tensor4D>(cotangent!)));
    await assertClose('output', value, reference(values.data), { relative: form.tolerance.forward });
    const expected = numericalGradient((at) => reference(at.values!), { values: values.data }, { cotangent: cotangent!.data });
    await assertClose('dValues', grad, expected.values!, { relative: form.tolerance.gradient });
  });

  test('the buckets of T5 are those of its authors, by memory - query', async () => {
    const bucket = async (relative: number, options = {}) => {
      const n = Math.abs(relative) + 1;
      return (await t5Buckets(n, options).data())[offsetFromKeyMinusQuery(relative) + n - 1];
    };
    // 32 buckets up to 128: 16 a side, 8 of them exact.
    const bidirectional = [
      [0, 0],
      [-1, 1],
      [-7, 7],
      [-8, 8],
      [-11, 8],
      [-12, 9],
      [-16, 10],
      [-32, 12],
      [-64, 14],
      [-127, 15],
      [-500, 15],
      [1, 17],
      [8, 24],
      [64, 30],
      [300, 31],
    ];
    for (const [relative, expected] of bidirectional) expect([relative, await bucket(relative!)]).toEqual([relative, expected]);
    const causal = [
      [0, 0],
      [5, 0],
      [-15, 15],
      [-16, 16],
      [-20, 17],
      [-32, 21],
      [-64, 26],
      [-128, 31],
      [-1000, 31],
    ];
    for (const [relative, expected] of causal) {
      expect([relative, await bucket(relative!, { bidirectional: false })]).toEqual([relative, expected]);
    }
    expect(() => t5Buckets(4, { buckets: 5 })).toThrow('t5Buckets: option buckets must be 4 or more, an even number,');
    expect(() => t5Buckets(4, { maxDistance: 8 })).toThrow('option maxDistance must be above 8');
    expect(() => t5Buckets(0)).toThrow('t5Buckets: N must be an integer above 0, got 0');
  });

  test('the bias of T5 reads its table by bucket, and its gradient counts', async () => {
    const table = tensorOf<tf.Tensor2D>(new SeededRandom(3).normals([8, 2]));
    const { value, grad } = anyForm(() =>
      tf.valueAndGrad((x) => t5Bias(x as tf.Tensor2D, 6, { maxDistance: 16 }))(table, tf.ones([2, 6, 6])),
    );
    const [bias, rows, buckets] = [
      await value.data(),
      await table.data(),
      await t5Buckets(6, { buckets: 8, maxDistance: 16 }).data(),
    ];
    const counts = new Array(8).fill(0);
    for (let t = 0; t < 6; t++) {
      for (let s = 0; s < 6; s++) {
        const bucket = buckets[t - s + 5]!;
        counts[bucket]++;
        for (const head of [0, 1]) expect(bias[(head * 6 + t) * 6 + s]).toBe(rows[bucket * 2 + head]);
      }
    }
    expect(Array.from(await grad.data())).toEqual(counts.flatMap((count) => [count, count]));
  });

  test('ALiBi falls with the distance, by slopes of a geometric sequence', async () => {
    expect(Array.from(await alibiSlopes(8).data())).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((i) => 2 ** -i));
    const six = [2 ** -2, 2 ** -4, 2 ** -6, 2 ** -8, 2 ** -1, 2 ** -3];
    expect(Array.from(await alibiSlopes(6).data())).toEqual(six);
    const bias = await anyForm(() => alibiBias(2, 3)).data();
    expect(Array.from(bias.slice(0, 9)).map((x) => x * 16 + 0)).toEqual([0, -1, -2, -1, 0, -1, -2, -1, 0].map((x) => x + 0));
    expect(() => alibiSlopes(0)).toThrow('alibiSlopes: heads must be an integer above 0, got 0');
  });

  test("TISA's bumps stand at offsets, and all of them learn", async () => {
    const [a, b, c] = [
      [0.5, -1.25, 2],
      [0.25, -0.5, 1],
      [1, -2, 0],
    ].map((x) => x.map(Math.fround)) as [number[], number[], number[]];
    const n = 4;
    const reference = (at: Record<string, ArrayLike<number>>) =>
      Float64Array.from({ length: n * n }, (_, i) => {
        // The paper's f of source - target, with centers turned by the one function that does so.
        const f = (k: number) =>
          a.reduce(
            (sum, _, s) => sum + at.a![s]! * Math.exp(-Math.abs(at.b![s]!) * (k - offsetFromKeyMinusQuery(at.c![s]!)) ** 2),
            0,
          );
        return f((i % n) - Math.floor(i / n));
      });
    const cotangent = new SeededRandom(4).normals([1, n, n]);
    const call = (...[amplitude, sharpness, center]: tf.Tensor[]) =>
      tisaBias({ amplitude, sharpness, center } as Record<'amplitude' | 'sharpness' | 'center', tf.Tensor2D>, n);
    const inputs = [a, b, c].map((x) => tf.tensor2d([x]));
    const { value, grads } = anyForm(() => tf.valueAndGrads(call)(inputs, tensorOf<tf.Tensor3D>(cotangent)));
    await assertClose('bias', value, reference({ a, b, c }), { relative: form.tolerance.forward });
    const expected = numericalGradient(reference, { a, b, c }, { cotangent: cotangent.data });
    for (const [i, name] of ['a', 'b', 'c'].entries())
      await assertClose(name, grads[i]!, expected[name]!, { relative: form.tolerance.gradient });
    expect(() => tisaBias({ amplitude: inputs[0], sharpness: inputs[0] } as never, 3)).toThrow(
      'tisaBias: center must be a Tensor, got undefined',
    );
  });
});
