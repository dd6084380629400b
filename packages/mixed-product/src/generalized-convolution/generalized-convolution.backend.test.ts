import { describeForms, expectNoLeak, runConformance, SeededRandom } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { denseBasis } from '../basis/dense-basis';
import {
  cpParameter,
  depthwiseParameter,
  fullParameter,
  groupedParameter,
  lowRankParameter,
  type Parameter,
  separableParameter,
  sharedLowRankParameter,
  tuckerParameter,
} from '../parameter/parameter';
import { parameterTensor } from '../parameter/parameter-tensor';
import { agrees, type Given } from '../test-agreement';
import type { EvaluationOrder } from './convolution-cost';
import { generalizedConvolution } from './generalized-convolution';
import { type ConvolutionSizes, convolutionReference } from './reference';

const asTensor = <T extends tf.Tensor>(x: tf.Tensor | undefined) => x as T;

/** Sizes: batch, terms, source, target, inputDim, outputDim. */
const sizesOf = ([batch, terms, source, target, inputDim, outputDim]: readonly number[]): ConvolutionSizes =>
  ({ batch, terms, source, target, inputDim, outputDim }) as ConvolutionSizes;

const shapes = [
  [1, 1, 1, 1, 1, 1],
  [2, 3, 5, 4, 6, 2],
  [1, 2, 7, 3, 2, 5],
  [3, 1, 2, 6, 1, 3],
];

/** The parameters in factors, at P = 4, Q = 6, K = 3, and the matrix that each stands for, by its definition. */
const factored: Record<
  string,
  { shapes: Record<string, number[]>; of(given: Given): Parameter; theta(plain: Plain): number[][][] }
> = {
  lowRank: {
    shapes: { u: [3, 4, 2], v: [3, 6, 2] },
    of: ({ u, v }) => lowRankParameter({ u: asTensor(u), v: asTensor(v) }),
    theta: ({ u, v }) => thetaOf((k, p, q) => sumOver(2, (d) => u![(k * 4 + p) * 2 + d]! * v![(k * 6 + q) * 2 + d]!)),
  },
  sharedLowRank: {
    shapes: { u: [4, 2], v: [3, 6, 2] },
    of: ({ u, v }) => sharedLowRankParameter({ u: asTensor(u), v: asTensor(v) }),
    theta: ({ u, v }) => thetaOf((k, p, q) => sumOver(2, (d) => u![p * 2 + d]! * v![(k * 6 + q) * 2 + d]!)),
  },
  separable: {
    shapes: { depthwise: [3, 4], pointwise: [4, 6] },
    of: ({ depthwise, pointwise }) => separableParameter({ depthwise: asTensor(depthwise), pointwise: asTensor(pointwise) }),
    theta: ({ depthwise, pointwise }) => thetaOf((k, p, q) => depthwise![k * 4 + p]! * pointwise![p * 6 + q]!),
  },
  grouped: {
    shapes: { theta: [3, 2, 2, 3] },
    of: ({ theta }) => groupedParameter(asTensor(theta)),
    theta: ({ theta }) =>
      thetaOf((k, p, q) => (p >> 1 === Math.floor(q / 3) ? theta![((k * 2 + (p >> 1)) * 2 + (p & 1)) * 3 + (q % 3)]! : 0)),
  },
  cp: {
    shapes: { u: [4, 5], mixing: [3, 5], v: [6, 5] },
    of: ({ u, mixing, v }) => cpParameter({ u: asTensor(u), mixing: asTensor(mixing), v: asTensor(v) }),
    theta: ({ u, mixing, v }) => thetaOf((k, p, q) => sumOver(5, (r) => u![p * 5 + r]! * mixing![k * 5 + r]! * v![q * 5 + r]!)),
  },
  tucker: {
    shapes: { core: [2, 3, 2], terms: [3, 2], input: [4, 3], output: [6, 2] },
    of: ({ core, terms, input, output }) =>
      tuckerParameter({ core: asTensor(core), terms: asTensor(terms), input: asTensor(input), output: asTensor(output) }),
    theta: ({ core, terms, input, output }) =>
      thetaOf((k, p, q) =>
        sumOver(2, (a) =>
          sumOver(3, (b) =>
            sumOver(2, (c) => core![(a * 3 + b) * 2 + c]! * terms![k * 2 + a]! * input![p * 3 + b]! * output![q * 2 + c]!),
          ),
        ),
      ),
  },
};

type Plain = Record<string, Float64Array>;

const sumOver = (count: number, term: (i: number) => number): number => {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += term(i);
  return sum;
};

const thetaOf = (value: (k: number, p: number, q: number) => number, dims = [3, 4, 6]): number[][][] =>
  Array.from({ length: dims[0]! }, (_, k) =>
    Array.from({ length: dims[1]! }, (_, p) => Array.from({ length: dims[2]! }, (_, q) => value(k, p, q))),
  );

describeForms('generalizedConvolution', { fused: ['wasm', 'webgpu'] }, (form) => {
  // tfjs's own programs are many, and a software GPU compiles each for a second.
  const isSlow = form.name === 'webgpu' && form.form === 'composed';

  runConformance(form, 'generalizedConvolution', ({ x, basis, theta, bias }) =>
    generalizedConvolution(asTensor(x), denseBasis(asTensor(basis)), asTensor<tf.Tensor3D>(theta), {
      bias: asTensor<tf.Tensor1D>(bias),
    }),
  );

  for (const order of ['basisFirst', 'parameterFirst'] as const) {
    // A_k[m, n]: the weight of input m in output n.
    test.each(isSlow ? shapes.slice(2, 3) : shapes)(
      `agrees with the reference at [%i, %i, %i, %i, %i, %i], ${order}`,
      async (...given) => {
        const sizes = sizesOf(given);
        const { batch, terms, source, target, inputDim, outputDim } = sizes;
        const random = new SeededRandom(source);
        for (const samples of batch > 1 && form.name !== 'webgpu' ? [[], [batch]] : [[]]) {
          await agrees(
            form,
            {
              x: random.normals([batch, source, inputDim]),
              basis: random.normals([...samples, terms, source, target]),
              theta: random.normals([terms, inputDim, outputDim]),
              bias: random.normals([outputDim]),
            },
            ({ x, basis, theta, bias }) =>
              generalizedConvolution(asTensor(x), denseBasis(asTensor(basis)), asTensor<tf.Tensor3D>(theta), {
                bias: asTensor<tf.Tensor1D>(bias),
                order,
              }),
            (plain) => convolutionReference(sizes, plain),
            random.normals([batch * target * outputDim]).data,
          );
        }
      },
    );
  }

  for (const [kind, { shapes: factors, of, theta }] of Object.entries(factored)) {
    if (isSlow && kind !== 'cp') continue;
    test(`a parameter of the form ${kind} gives in every order what its matrix gives`, async () => {
      const sizes = sizesOf([2, 3, 5, 4, 4, 6]);
      const random = new SeededRandom(kind.length);
      const drawn = Object.fromEntries(Object.entries(factors).map(([name, shape]) => [name, random.normals(shape)]));
      const inputs = { x: random.normals([2, 5, 4]), basis: random.normals([3, 5, 4]), ...drawn };
      const cotangent = random.normals([2 * 4 * 6]).data;
      const orders: EvaluationOrder[] = ['basisFirst', 'parameterFirst', ...(kind === 'grouped' ? [] : (['factored'] as const))];
      for (const order of orders) {
        await agrees(
          form,
          inputs,
          ({ x, basis, ...own }: Given) => generalizedConvolution(asTensor(x), denseBasis(asTensor(basis)), of(own), { order }),
          ({ x, basis, ...own }: Plain) => convolutionReference(sizes, { x: x!, basis: basis!, theta: theta(own).flat(2) }),
          cotangent,
        );
      }
      const whole = form.run(() =>
        parameterTensor(
          of(
            Object.fromEntries(
              Object.entries(drawn).map(([name, { shape, data }]) => [name, tf.tensor(Float32Array.from(data), [...shape])]),
            ),
          ),
        ),
      );
      const expected = theta(Object.fromEntries(Object.entries(drawn).map(([name, { data }]) => [name, data]))).flat(2);
      const found = await whole.data();
      expect(whole.shape).toEqual([3, 4, 6]);
      expected.forEach((value, i) => {
        expect(found[i]).toBeCloseTo(value, 4);
      });
    });
  }

  test('a depthwise parameter mixes no channels', async () => {
    const sizes = sizesOf([2, 3, 5, 4, 4, 4]);
    const random = new SeededRandom(5);
    const inputs = { x: random.normals([2, 5, 4]), basis: random.normals([3, 5, 4]), theta: random.normals([3, 4]) };
    for (const order of ['basisFirst', 'parameterFirst'] as const) {
      await agrees(
        form,
        inputs,
        ({ x, basis, theta }) =>
          generalizedConvolution(asTensor(x), denseBasis(asTensor(basis)), depthwiseParameter(asTensor(theta)), { order }),
        ({ x, basis, theta }) =>
          convolutionReference(sizes, {
            x,
            basis,
            theta: thetaOf((k, p, q) => (p === q ? theta[k * 4 + p]! : 0), [3, 4, 4]).flat(2),
          }),
        random.normals([2 * 4 * 4]).data,
      );
    }
  });

  test('leaks nothing', async () => {
    const [x, graphs, theta, bias] = [
      tf.ones<tf.Rank.R3>([2, 5, 4]),
      tf.ones<tf.Rank.R3>([3, 5, 4]),
      tf.ones<tf.Rank.R3>([3, 4, 6]),
      tf.ones<tf.Rank.R1>([6]),
    ];
    for (const order of ['basisFirst', 'parameterFirst'] as const) {
      await expectNoLeak(() => form.run(() => generalizedConvolution(x, denseBasis(graphs), theta, { bias, order })).dispose());
      await expectNoLeak(() => {
        const call = (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) =>
          generalizedConvolution(asTensor(a), denseBasis(asTensor(b)), fullParameter(asTensor(c)), { bias, order });
        tf.dispose(form.run(() => tf.grads(call as (...xs: tf.Tensor[]) => tf.Tensor)([x, graphs, theta])));
      });
    }
  });

  test('nothing in gives the bias, nothing out nothing', async () => {
    const bias = tf.tensor1d([1, 2]);
    const graphs = tf.ones<tf.Rank.R3>([1, 0, 3]);
    const call = (x: tf.Tensor) =>
      generalizedConvolution(asTensor(x), denseBasis(graphs), tf.ones<tf.Rank.R3>([1, 4, 2]), { bias });
    const y = form.run(() => call(tf.ones([1, 0, 4])));
    expect(y.shape).toEqual([1, 3, 2]);
    expect(Array.from(await y.data())).toEqual([1, 2, 1, 2, 1, 2]);
    for (const [shape, own] of [
      [
        [0, 5, 4],
        [2, 5, 3],
      ],
      [
        [2, 5, 4],
        [2, 5, 0],
      ],
    ] as const) {
      const x = tf.ones<tf.Rank.R3>([...shape]);
      const { value, grad } = form.run(() =>
        tf.valueAndGrad((given: tf.Tensor) =>
          generalizedConvolution(asTensor(given), denseBasis(tf.ones<tf.Rank.R3>([...own])), tf.ones<tf.Rank.R3>([2, 4, 2]), {
            bias,
          }),
        )(x),
      );
      expect(value.shape).toEqual([shape[0], own[2], 2]);
      expect(grad.shape).toEqual([...shape]);
    }
  });
});
