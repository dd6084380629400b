import { assertClose, describeForms, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { generalizedConvolution } from '../generalized-convolution/generalized-convolution';
import { convolutionReference } from '../generalized-convolution/reference';
import { lowRankParameter } from '../parameter/parameter';
import { agrees } from '../test-agreement';
import { composeBases } from './compose-bases';
import { concatBases } from './concat-bases';
import { denseBasis } from './dense-basis';
import { reweightBasis } from './reweight-basis';
import { sparseBasis } from './sparse-basis';
import { agreesWithItsMatrices } from './test-twins';
import { transposeBasis } from './transpose-basis';

/** `sum_n a[.., m, n] b[.., n, r]` for matrices of one sample. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, [M, N, R]: readonly [number, number, number]): number[] {
  return Array.from({ length: M * R }, (_, i) => {
    let sum = 0;
    for (let n = 0; n < N; n++) sum += a[Math.floor(i / R) * N + n]! * b[n * R + (i % R)]!;
    return sum;
  });
}

describeForms('bases of bases', { fused: ['wasm', 'webgpu'] }, (form) => {
  const isSlow = form.name === 'webgpu' && form.form === 'composed';
  if (isSlow) return test('are tested on other forms', () => expect(form.form).toBe('composed'));

  test('one behind the other, shared and per sample', async () => {
    const random = new SeededRandom(1);
    const [a, b] = [random.normals([2, 4, 3]), random.normals([2, 1, 4, 3])];
    const sparse = sparseBasis({ source: [0, 3], target: [2, 1], weight: [2, -1], inputSize: 4, outputSize: 3 });
    const shared = concatBases(denseBasis(tensorOf<tf.Tensor3D>(a)), sparse);
    expect(shared).toMatchObject({ terms: 3, edges: 26, samples: null });
    const dense = await agreesWithItsMatrices(form, shared);
    expect(dense.shape).toEqual([3, 4, 3]);
    expect(Array.from((await dense.data()).slice(24))).toEqual([0, 0, 2, 0, 0, 0, 0, 0, 0, 0, -1, 0]);
    const own = concatBases(sparse, denseBasis(tensorOf<tf.Tensor4D>(b)));
    expect(own).toMatchObject({ terms: 2, samples: 2 });
    expect((await agreesWithItsMatrices(form, own)).shape).toEqual([2, 2, 4, 3]);
    expect((await agreesWithItsMatrices(form, concatBases(sparse))).shape).toEqual([1, 4, 3]);
  });

  test('one after another: term k L + l is A_k B_l', async () => {
    const random = new SeededRandom(2);
    const [a, b] = [random.normals([2, 4, 3]), random.normals([3, 3, 5])];
    const both = composeBases(denseBasis(tensorOf<tf.Tensor3D>(a)), denseBasis(tensorOf<tf.Tensor3D>(b)));
    expect(both).toMatchObject({ terms: 6, inputSize: 4, outputSize: 5 });
    const dense = await agreesWithItsMatrices(form, both);
    const expected = [0, 1].flatMap((k) =>
      [0, 1, 2].flatMap((l) => product(a.data.slice(k * 12, k * 12 + 12), b.data.slice(l * 15, l * 15 + 15), [4, 3, 5])),
    );
    await assertClose('products', dense, { shape: [6, 4, 5], data: expected }, { relative: form.tolerance.forward });
  });

  test('two convolutions are one over the composed basis', async () => {
    const random = new SeededRandom(3);
    const draw = <T extends tf.Tensor>(...shape: number[]) => tensorOf<T>(random.normals(shape));
    const [x, theta, psi] = [draw<tf.Tensor3D>(2, 4, 3), draw<tf.Tensor3D>(2, 3, 2), draw<tf.Tensor3D>(3, 2, 4)];
    const [first, second] = [denseBasis(draw<tf.Tensor3D>(2, 4, 3)), denseBasis(draw<tf.Tensor3D>(3, 3, 5))];
    const apart = form.run(() => generalizedConvolution(generalizedConvolution(x, first, theta), second, psi));
    const products = tf.reshape(
      tf.matMul(tf.tile(tf.expandDims(theta, 1), [1, 3, 1, 1]), tf.tile(tf.expandDims(psi, 0), [2, 1, 1, 1])),
      [6, 3, 4],
    );
    const together = form.run(() => generalizedConvolution(x, composeBases(first, second), products as tf.Tensor3D));
    await assertClose('together', together, await apart.data(), { relative: 5 * form.tolerance.forward });
  });

  test('a change of basis, and its gradient', async () => {
    const random = new SeededRandom(4);
    const [a, c] = [random.normals([3, 4, 3]), random.normals([3, 2])];
    const changed = reweightBasis(denseBasis(tensorOf<tf.Tensor3D>(a)), tensorOf<tf.Tensor2D>(c));
    const dense = await agreesWithItsMatrices(form, changed);
    const mixed = (graphs: ArrayLike<number>, weights: ArrayLike<number>) =>
      Array.from({ length: 24 }, (_, i) => {
        const [b, at] = [Math.floor(i / 12), i % 12];
        return [0, 1, 2].reduce((sum, k) => sum + weights[k * 2 + b]! * graphs[k * 12 + at]!, 0);
      });
    await assertClose('graphs', dense, { shape: [2, 4, 3], data: mixed(a.data, c.data) }, { relative: form.tolerance.forward });
    const sizes = { batch: 2, terms: 2, source: 4, target: 3, inputDim: 2, outputDim: 3 };
    const inputs = { x: random.normals([2, 4, 2]), graphs: a, weights: c, theta: random.normals([2, 2, 3]) };
    for (const order of ['basisFirst', 'parameterFirst'] as const) {
      await agrees(
        form,
        inputs,
        ({ x, graphs, weights, theta }) =>
          generalizedConvolution(
            x as tf.Tensor3D,
            reweightBasis(denseBasis(graphs as tf.Tensor3D), weights as tf.Tensor2D),
            theta as tf.Tensor3D,
            { order },
          ),
        ({ x, graphs, weights, theta }) => convolutionReference(sizes, { x, basis: mixed(graphs, weights), theta }),
        random.normals([18]).data,
      );
    }
  });

  test('gradients go through every map of a basis of bases', async () => {
    const random = new SeededRandom(5);
    const build = (a: tf.Tensor, b: tf.Tensor) =>
      concatBases(
        composeBases(denseBasis(a as tf.Tensor3D), denseBasis(b as tf.Tensor3D)),
        transposeBasis(denseBasis(tf.ones<tf.Rank.R3>([1, 2, 3]))),
      );
    const dense = (a: Float64Array, b: Float64Array) => [
      ...product(a, b.slice(0, 4), [3, 2, 2]),
      ...product(a, b.slice(4), [3, 2, 2]),
      ...new Array(6).fill(1),
    ];
    const sizes = { batch: 1, terms: 3, source: 3, target: 2, inputDim: 2, outputDim: 2 };
    for (const order of ['basisFirst', 'parameterFirst', 'factored'] as const) {
      await agrees(
        form,
        {
          x: random.normals([1, 3, 2]),
          a: random.normals([1, 3, 2]),
          b: random.normals([2, 2, 2]),
          u: random.normals([3, 2, 1]),
          v: random.normals([3, 2, 1]),
        },
        ({ x, a, b, u, v }) =>
          generalizedConvolution(x as tf.Tensor3D, build(a, b), lowRankParameter({ u: u as never, v: v as never }), { order }),
        ({ x, a, b, u, v }) =>
          convolutionReference(sizes, {
            x,
            basis: dense(a, b),
            theta: Array.from(
              { length: 12 },
              (_, i) => u[Math.floor(i / 4) * 2 + (Math.floor(i / 2) % 2)]! * v[Math.floor(i / 4) * 2 + (i % 2)]!,
            ),
          }),
        random.normals([4]).data,
      );
    }
  });

  test('refuse what does not fit', () => {
    const [a, b] = [denseBasis(tf.ones<tf.Rank.R3>([1, 4, 3])), denseBasis(tf.ones<tf.Rank.R3>([1, 4, 2]))];
    expect(() => concatBases()).toThrow('concatBases: there must be at least one basis');
    expect(() => concatBases(a, b)).toThrow('basis 0 has 4 to 3 and basis 1 4 to 2');
    expect(() => composeBases(a, b)).toThrow('composeBases: the first basis ends in 3 nodes but the second starts from 4');
    expect(() => reweightBasis(a, tf.ones([2, 2]))).toThrow("reweightBasis: axis 'terms' is 1 in basis but 2 in weights");
    const [two, three] = [2, 3].map((samples) => denseBasis(tf.ones<tf.Rank.R4>([samples, 1, 4, 3])));
    expect(() => concatBases(two!, three!)).toThrow('bases of their own per sample must have as many samples, got 2 and 3');
  });
});
