import { type ConvolutionBasis, fullParameter, generalizedConvolution, gram, invertMixedProduct } from '@mixfold/mixed-product';
import { kronecker } from '@mixfold/tensor-ops';
import { assertClose, describeForms, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type Boundary, boundaries } from '../boundary';
import { shiftConvolution } from '../shift-convolution/shift-convolution';
import { shiftBasis1d, shiftBasis2d } from './shift-basis';

// Orientation: A_k[m, n], input m, output n; 1 where n - m = d_k. y = sum_k A_k^T x theta_k.

const matrixOf = (length: number, offset: number, boundary: Boundary = 'zero'): tf.Tensor2D =>
  tf.reshape(shiftBasis1d(length, [offset], { boundary }).toDense(), [length, length]);

const equal = async (a: tf.Tensor, b: tf.Tensor): Promise<boolean> => {
  const [x, y] = [await a.data(), await b.data()];
  return x.length === y.length && x.every((value, i) => value === y[i]);
};

describeForms('shift bases', { fused: ['wasm'], only: ['cpu', 'wasm'] }, (form) => {
  // The terms of a basis have no kernel of their own.
  const anyForm = <T>(fn: () => T): T => (form.form === 'fused' ? fn() : form.run(fn));

  test.each(boundaries)('what a basis does is what its matrices do, and its adjoint theirs, %s', async (boundary) => {
    const random = new SeededRandom(1);
    for (const basis of [
      shiftBasis1d(7, [1, -3, 0, 6], { boundary }),
      shiftBasis2d(
        [3, 4],
        [
          [1, 0],
          [-2, 3],
          [0, -1],
        ],
        { boundary },
      ),
    ]) {
      const { terms, inputSize } = basis;
      const dense = basis.toDense() as tf.Tensor3D;
      expect(dense.shape).toEqual([terms, inputSize, inputSize]);
      expect((await tf.sum(dense).data())[0]).toBe(basis.edges);
      const a = await dense.data();
      const [x, h] = [random.normals([2, inputSize, 3]), random.normals([2, inputSize, terms, 3])];
      for (const [own, at] of [
        [basis, (k: number, m: number, n: number) => a[(k * inputSize + m) * inputSize + n]!],
        [basis.transposed(), (k: number, m: number, n: number) => a[(k * inputSize + n) * inputSize + m]!],
      ] as const) {
        const [spread, each] = [0, 1].map(() => new Float64Array(2 * inputSize * terms * 3)) as [Float64Array, Float64Array];
        const sum = new Float64Array(2 * inputSize * 3);
        for (let b = 0; b < 2; b++) {
          for (let k = 0; k < terms; k++) {
            for (let m = 0; m < inputSize; m++) {
              for (let n = 0; n < inputSize; n++) {
                for (let c = 0; c < 3; c++) {
                  const [to, from] = [((b * inputSize + n) * terms + k) * 3 + c, ((b * inputSize + m) * terms + k) * 3 + c];
                  spread[to]! += at(k, m, n) * x.data[(b * inputSize + m) * 3 + c]!;
                  each[to]! += at(k, m, n) * h.data[from]!;
                  sum[(b * inputSize + n) * 3 + c]! += at(k, m, n) * h.data[from]!;
                }
              }
            }
          }
        }
        const bound = { relative: form.tolerance.forward };
        await assertClose(
          'apply',
          anyForm(() => own.apply(tensorOf(x))),
          spread,
          bound,
        );
        await assertClose(
          'applyEach',
          anyForm(() => own.applyEach(tensorOf(h))),
          each,
          bound,
        );
        await assertClose(
          'applySum',
          anyForm(() => own.applySum(tensorOf(h))),
          sum,
          bound,
        );
      }
      const g = random.normals([2, inputSize, terms, 3]);
      const pulled = anyForm(() => tf.grad((v: tf.Tensor) => basis.apply(v as tf.Tensor3D))(tensorOf(x), tensorOf(g)));
      const adjoint = anyForm(() => basis.applyAdjoint(tensorOf(g)));
      expect(await equal(pulled, adjoint)).toBe(true);
    }
  });

  test('a generalized convolution over shifts is a shift convolution, gradients too', async () => {
    const random = new SeededRandom(2);
    const [x, theta, g] = [random.normals([2, 9, 4]), random.normals([3, 4, 5]), random.normals([2, 9, 5])];
    const offsets = [2, 0, -1];
    const ours = (...[a, b]: tf.Tensor[]) =>
      shiftConvolution(a as tf.Tensor3D, b as tf.Tensor3D, { offsets, boundary: 'replicate' });
    const general = (...[a, b]: tf.Tensor[]) =>
      generalizedConvolution(
        a as tf.Tensor3D,
        shiftBasis1d(9, offsets, { boundary: 'replicate' }),
        fullParameter(b as tf.Tensor3D),
      );
    const inputs = [tensorOf(x), tensorOf(theta)];
    const [a, b] = [ours, general].map((call) => anyForm(() => tf.valueAndGrads(call)(inputs, tensorOf<tf.Tensor3D>(g))));
    await assertClose('output', a!.value, await b!.value.data(), { relative: 2e-6 });
    for (const i of [0, 1]) await assertClose(`gradient ${i}`, a!.grads[i]!, await b!.grads[i]!.data(), { relative: 1e-5 });
  });

  if (form.form === 'fused' || form.name === 'wasm') return;

  test('A_d A_e = A_(d + e) for offsets of one sign, and fails for others', async () => {
    const product = (d: number, e: number, boundary: Boundary = 'zero') =>
      tf.matMul(matrixOf(6, d, boundary), matrixOf(6, e, boundary));
    for (const [d, e] of [
      [1, 2],
      [2, 2],
      [-1, -3],
      [0, -2],
      [4, 4],
    ] as const)
      expect(await equal(product(d, e), matrixOf(6, d + e))).toBe(true);
    for (const [d, e] of [
      [2, -2],
      [-1, 1],
      [3, -1],
    ] as const)
      expect(await equal(product(d, e), matrixOf(6, d + e))).toBe(false);
    for (const [d, e] of [
      [2, -2],
      [5, 4],
      [-3, 1],
    ] as const) {
      expect(await equal(product(d, e, 'circular'), matrixOf(6, d + e, 'circular'))).toBe(true);
    }
    expect(await equal(tf.transpose(matrixOf(6, 2)), matrixOf(6, -2))).toBe(true);
  });

  test.each(boundaries)('the shift of a grid is the Kronecker product of two shifts, %s', async (boundary) => {
    for (const [dy, dx] of [
      [1, -2],
      [-2, 0],
      [0, 3],
    ] as const) {
      const grid = tf.reshape(shiftBasis2d([3, 4], [[dy, dx]], { boundary }).toDense(), [12, 12]);
      expect(await equal(grid, kronecker(matrixOf(3, dy, boundary), matrixOf(4, dx, boundary)))).toBe(true);
    }
  });

  test('shifts are orthogonal: their Gram matrix is diag(N - |d|), on a circle N, on a grid the product', async () => {
    const entries = async (basis: ConvolutionBasis) => Array.from(await gram(basis.toDense()).data());
    const diagonal = (values: number[]) => values.flatMap((value, i) => values.map((_, j) => (i === j ? value : 0)));
    expect(await entries(shiftBasis1d(7, [0, 1, -3, 6]))).toEqual(diagonal([7, 6, 4, 1]));
    expect(await entries(shiftBasis1d(7, [0, 1, -3], { boundary: 'circular' }))).toEqual(diagonal([7, 7, 7]));
    expect(
      await entries(
        shiftBasis2d(
          [3, 4],
          [
            [0, 0],
            [1, -1],
            [-2, 3],
          ],
        ),
      ),
    ).toEqual(diagonal([12, 6, 1]));
  });

  test('inverted, a Toeplitz matrix has the means of its diagonals as coefficients', async () => {
    const values = [3, -1, 2, 5, 7];
    const phi = tf.tensor2d(
      [0, 1, 2].flatMap((m) => [0, 1, 2].map((n) => values[n - m + 2]!)),
      [3, 3],
    );
    const { theta, relativeResidual } = await invertMixedProduct(shiftBasis1d(3, [-2, -1, 0, 1, 2]).toDense(), phi);
    await assertClose('theta', theta as unknown as tf.Tensor, values, { relative: 1e-6 });
    expect(relativeResidual).toBeLessThan(1e-6);
  });

  test('names what it refuses', () => {
    expect(() => shiftBasis1d(0, [0])).toThrow('shiftBasis1d: length must be an integer above 0, got 0');
    expect(() => shiftBasis1d(4, [])).toThrow(
      'shiftBasis1d: option offsets must be an array of at least one of integers, got none',
    );
    expect(() => shiftBasis1d(4, [4], { boundary: 'reflect' })).toThrow("shiftBasis1d: boundary 'reflect' holds offsets up to 3");
    expect(() => shiftBasis2d([2, 2], [1] as never)).toThrow('option offsets must hold pairs [height, width] of integers, got 1');
    expect(() => shiftBasis1d(4, [1], { circular: true } as never)).toThrow("shiftBasis1d: unknown option 'circular'");
  });
});
