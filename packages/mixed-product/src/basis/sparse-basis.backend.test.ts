import { assertClose, describeForms, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { generalizedConvolution } from '../generalized-convolution/generalized-convolution';
import { type ConvolutionSizes, convolutionReference } from '../generalized-convolution/reference';
import { lowRankParameter } from '../parameter/parameter';
import { matricesOfEdges } from '../sparse-product/reference';
import { randomEdges } from '../sparse-product/test-edges';
import { summedOver, viewAs } from '../tape/views';
import { agrees } from '../test-agreement';
import { sparseBasis } from './sparse-basis';

/** Sizes and the number of edges: of one edge, of rows of every length around a vector of lanes, of long rows. */
const cases: [ConvolutionSizes, number][] = [
  [{ batch: 1, terms: 1, source: 1, target: 1, inputDim: 1, outputDim: 1 }, 1],
  [{ batch: 2, terms: 3, source: 5, target: 4, inputDim: 3, outputDim: 2 }, 17],
  [{ batch: 1, terms: 2, source: 7, target: 11, inputDim: 5, outputDim: 4 }, 9],
  [{ batch: 2, terms: 1, source: 3, target: 2, inputDim: 4, outputDim: 37 }, 160],
  [{ batch: 1, terms: 2, source: 6, target: 5, inputDim: 36, outputDim: 33 }, 12],
];

describeForms('sparseBasis', { fused: ['wasm', 'webgpu'] }, (form) => {
  const isSlow = form.name === 'webgpu' && form.form === 'composed';

  for (const order of ['basisFirst', 'parameterFirst'] as const) {
    // Edge e goes from input source[e] to output target[e]: A_term[source, target] += weight.
    test.each(isSlow ? cases.slice(1, 2) : cases)(
      `agrees with the matrices of its edges, %j, %i edges, ${order}`,
      async (sizes, count) => {
        const { batch, terms, source, target, inputDim, outputDim } = sizes;
        const random = new SeededRandom(count);
        const own = randomEdges(random, count, { terms, inputSize: source, outputSize: target, idle: target > 2 ? 1 : 0 });
        const ends = { ...own, inputSize: source, outputSize: target };
        for (const samples of batch > 1 ? [1, batch] : [1]) {
          await agrees(
            form,
            {
              x: random.normals([batch, source, inputDim]),
              weight: random.normals(samples === 1 ? [count] : [samples, count]),
              theta: random.normals([terms, inputDim, outputDim]),
            },
            ({ x, weight, theta }) =>
              generalizedConvolution(
                x as tf.Tensor3D,
                sparseBasis({ ...ends, weight: weight as tf.Tensor1D }),
                theta as tf.Tensor3D,
                {
                  order,
                },
              ),
            ({ x, weight, theta }) => {
              const basis = Array.from({ length: samples }, (_, b) =>
                Array.from(matricesOfEdges(own, weight.subarray(b * count, (b + 1) * count), [terms, source, target])),
              ).flat();
              return convolutionReference(sizes, { x, basis, theta });
            },
            random.normals([batch * target * outputDim]).data,
            isSlow || inputDim * outputDim > 500 ? ['x', 'weight'] : undefined,
          );
        }
      },
    );
  }

  test('carries each term of a low-rank parameter on its own graph', async () => {
    const sizes = { batch: 2, terms: 3, source: 5, target: 4, inputDim: 4, outputDim: 6 };
    const random = new SeededRandom(8);
    const own = randomEdges(random, 19, { terms: 3, inputSize: 5, outputSize: 4 });
    await agrees(
      form,
      {
        x: random.normals([2, 5, 4]),
        weight: random.normals([19]),
        u: random.normals([3, 4, 2]),
        v: random.normals([3, 6, 2]),
      },
      ({ x, weight, u, v }) => {
        const basis = sparseBasis({ ...own, inputSize: 5, outputSize: 4, weight: weight as tf.Tensor1D });
        const parameter = lowRankParameter({ u: u as tf.Tensor3D, v: v as tf.Tensor3D });
        return generalizedConvolution(x as tf.Tensor3D, basis, parameter, { order: 'factored' });
      },
      ({ x, weight, u, v }) => {
        const theta = new Float64Array(3 * 4 * 6);
        theta.forEach((_, i) => {
          const [k, p, q] = [Math.floor(i / 24), Math.floor(i / 6) % 4, i % 6];
          for (let d = 0; d < 2; d++) theta[i]! += u[(k * 4 + p) * 2 + d]! * v[(k * 6 + q) * 2 + d]!;
        });
        return convolutionReference(sizes, { x, basis: matricesOfEdges(own, weight, [3, 5, 4]), theta });
      },
      random.normals([2 * 4 * 6]).data,
      isSlow ? ['x'] : undefined,
    );
  });

  test('its matrices, those of its transpose, and the adjoint', async () => {
    const random = new SeededRandom(9);
    const own = randomEdges(random, 13, { terms: 2, inputSize: 4, outputSize: 3 });
    const weight = random.normals([13]);
    const basis = sparseBasis({ ...own, weight: weight.data, inputSize: 4, outputSize: 3 });
    expect(basis).toMatchObject({ terms: 2, inputSize: 4, outputSize: 3, edges: 13, samples: null });
    const expected = matricesOfEdges(own, weight.data, [2, 4, 3]);
    const dense = form.run(() => basis.toDense());
    expect(dense.shape).toEqual([2, 4, 3]);
    await assertClose('matrices', dense, expected, { relative: form.tolerance.forward });
    const turned = form.run(() => basis.transposed().toDense());
    expect(turned.shape).toEqual([2, 3, 4]);
    await assertClose('transposed', turned, await tf.transpose(dense, [0, 2, 1]).data(), { relative: 1e-7 });
    const h = tensorOf<tf.Tensor4D>(random.normals([1, 3, 2, 2]));
    const back = form.run(() => basis.applyAdjoint(h));
    const flat = tf.reshape(tf.transpose(h, [2, 1, 0, 3]), [2, 3, 2]);
    const sum = tf.sum(tf.matMul(tf.reshape(dense, [2, 4, 3]), flat as tf.Tensor3D), 0);
    await assertClose('adjoint', back, await sum.data(), { relative: form.tolerance.forward });
  });

  test('a variable is read anew by every map: the edges are sorted once, their weights train', async () => {
    const weight = tf.variable(tf.tensor1d([1, 2]));
    const basis = sparseBasis({
      source: [0, 1],
      target: [1, 0],
      weight: weight as unknown as tf.Tensor1D,
      inputSize: 2,
      outputSize: 2,
    });
    const x = tf.tensor3d([3, 5], [1, 2, 1]);
    const { grads } = form.run(() => tf.variableGrads(() => summedOver<tf.Scalar>(viewAs(basis.apply(x), [2]), 0), [weight]));
    expect(Array.from(await grads[weight.name]!.data())).toEqual([3, 5]);
    weight.assign(tf.tensor1d([10, 20]));
    expect(Array.from(await form.run(() => basis.apply(x)).data())).toEqual([100, 30]);
    weight.dispose();
  });

  test('no edges carry nothing', async () => {
    const basis = sparseBasis({ source: [], target: [], weight: [], inputSize: 3, outputSize: 2 });
    const { value, grad } = form.run(() => tf.valueAndGrad((x: tf.Tensor) => basis.apply(x as tf.Tensor3D))(tf.ones([1, 3, 2])));
    expect(Array.from(await value.data())).toEqual([0, 0, 0, 0]);
    expect(Array.from(await grad.data())).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test('leaks nothing, in a tidy or out of it', async () => {
    const [x, weight] = [tf.ones<tf.Rank.R3>([2, 3, 4]), tf.ones<tf.Rank.R1>([3])];
    const edges = { source: [0, 1, 2], target: [1, 0, 1], term: [0, 1, 1], inputSize: 3, outputSize: 2, weight };
    const basis = sparseBasis(edges);
    await expectNoLeak(() => form.run(() => basis.apply(x)).dispose());
    await expectNoLeak(() => {
      tf.dispose(form.run(() => tf.grads((a: tf.Tensor) => basis.apply(a as tf.Tensor3D))([x])));
    });
    await expectNoLeak(() => {
      const own = sparseBasis(edges);
      form.run(() => own.apply(x)).dispose();
      own.dispose();
    });
    // What a tidy has freed is made again.
    const kept = tf.tidy(() => {
      const own = sparseBasis({ ...edges, weight: [1, 1, 1] });
      return Object.assign(
        form.run(() => own.apply(x)),
        { own },
      );
    });
    const again = form.run(() => kept.own.apply(x));
    expect(Array.from(await again.data())).toEqual(Array.from(await kept.data()));
  });
});
