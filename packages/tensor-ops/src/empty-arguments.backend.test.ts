import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as ops from './index';

type Shape = readonly number[];

/** A call with arguments of these shapes, ones; its gradients are zeros. */
interface EmptyCall {
  readonly of: (...args: tf.Tensor[]) => tf.Tensor;
  readonly args: readonly Shape[];
  readonly shape: Shape;
  /** Every element of the result. Default 0. */
  readonly value?: number;
}

const call = (
  of: (...args: never[]) => tf.Tensor,
  args: readonly Shape[],
  shape: Shape,
  rest: Partial<EmptyCall> = {},
): EmptyCall => ({
  of: of as EmptyCall['of'],
  args,
  shape,
  ...rest,
});

/** The same function on one argument whose shape it keeps, with each axis empty. */
const kept = (of: (x: never) => tf.Tensor, ...shapes: Shape[]) => shapes.map((shape) => call(of, [shape], shape));

const ids = (...shape: number[]) => tf.zeros(shape, 'int32');

const calls: Readonly<Record<string, readonly EmptyCall[]>> = {
  cumulativeSum: [
    ...kept((x: tf.Tensor) => ops.cumulativeSum(x, 1), [0, 3], [2, 0], [2, 0, 3], [2, 3, 0]),
    ...kept((x: tf.Tensor) => ops.cumulativeSum(x, -1, { reverse: true, exclusive: true }), [0], [0, 3]),
  ],
  depthwiseConv1d: [
    call(
      (x: tf.Tensor3D, k: tf.Tensor2D) => ops.depthwiseConv1d(x, k),
      [
        [0, 4, 3],
        [2, 3],
      ],
      [0, 4, 3],
    ),
    call(
      (x: tf.Tensor3D, k: tf.Tensor2D) => ops.depthwiseConv1d(x, k, { causal: true }),
      [
        [2, 0, 3],
        [2, 3],
      ],
      [2, 0, 3],
    ),
    call(
      (x: tf.Tensor3D, k: tf.Tensor2D) => ops.depthwiseConv1d(x, k),
      [
        [2, 4, 0],
        [2, 0],
      ],
      [2, 4, 0],
    ),
    call(
      (x: tf.Tensor3D, k: tf.Tensor2D) => ops.depthwiseConv1d(x, k),
      [
        [2, 4, 3],
        [0, 3],
      ],
      [2, 4, 3],
    ),
  ],
  depthwiseConv2d: [
    call(
      (x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k),
      [
        [0, 4, 3, 2],
        [2, 3, 2],
      ],
      [0, 4, 3, 2],
    ),
    call(
      (x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k),
      [
        [2, 0, 3, 2],
        [2, 3, 2],
      ],
      [2, 0, 3, 2],
    ),
    call(
      (x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k),
      [
        [2, 4, 0, 2],
        [2, 3, 2],
      ],
      [2, 4, 0, 2],
    ),
    call(
      (x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k),
      [
        [2, 4, 3, 0],
        [2, 3, 0],
      ],
      [2, 4, 3, 0],
    ),
    call(
      (x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k),
      [
        [2, 4, 3, 2],
        [0, 3, 2],
      ],
      [2, 4, 3, 2],
    ),
    call(
      (x: tf.Tensor4D, k: tf.Tensor3D) => ops.depthwiseConv2d(x, k),
      [
        [2, 4, 3, 2],
        [2, 0, 2],
      ],
      [2, 4, 3, 2],
    ),
  ],
  dropout: kept((x: tf.Tensor) => ops.dropout(x, { rate: 0.5, seed: 1 }), [0], [2, 0, 3]),
  embedding: [
    call((table: tf.Tensor2D) => ops.embedding(table, ids(0)), [[5, 3]], [0, 3]),
    call((table: tf.Tensor2D) => ops.embedding(table, ids(2, 0)), [[5, 3]], [2, 0, 3]),
    call((table: tf.Tensor2D) => ops.embedding(table, ids(2)), [[5, 0]], [2, 0]),
    call((table: tf.Tensor2D) => ops.embedding(table, ids(0)), [[0, 3]], [0, 3]),
  ],
  gelu: kept((x: tf.Tensor) => ops.gelu(x, { approximate: 'tanh' }), [0], [2, 0, 3]),
  layerNorm: [
    call((x: tf.Tensor, g: tf.Tensor1D, b: tf.Tensor1D) => ops.layerNorm(x, g, b), [[0, 3], [3], [3]], [0, 3]),
    call((x: tf.Tensor, g: tf.Tensor1D) => ops.layerNorm(x, g), [[2, 0, 3], [3]], [2, 0, 3]),
    call((x: tf.Tensor, g: tf.Tensor1D, b: tf.Tensor1D) => ops.layerNorm(x, g, b), [[2, 0], [0], [0]], [2, 0]),
  ],
  logSumExp: [
    call((x: tf.Tensor) => ops.logSumExp(x), [[0, 3]], [0]),
    call((x: tf.Tensor) => ops.logSumExp(x), [[2, 0]], [2], { value: Number.NEGATIVE_INFINITY }),
    call((x: tf.Tensor) => ops.logSumExp(x, 1), [[2, 3, 0]], [2, 0]),
    call((x: tf.Tensor) => ops.logSumExp(x, 0), [[0]], [], { value: Number.NEGATIVE_INFINITY }),
  ],
  matMul: [
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b),
      [
        [2, 0],
        [0, 3],
      ],
      [2, 3],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b),
      [
        [0, 2],
        [2, 3],
      ],
      [0, 3],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b),
      [
        [4, 2, 5],
        [5, 0],
      ],
      [4, 2, 0],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b, { transposeA: true, transposeB: true }),
      [
        [4, 0, 2],
        [4, 3, 0],
      ],
      [4, 2, 3],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.matMul(a, b),
      [
        [0, 2, 5],
        [0, 5, 3],
      ],
      [0, 2, 3],
    ),
  ],
  rmsNorm: [
    call((x: tf.Tensor, g: tf.Tensor1D) => ops.rmsNorm(x, g), [[0, 3], [3]], [0, 3]),
    call((x: tf.Tensor, g: tf.Tensor1D) => ops.rmsNorm(x, g), [[2, 0], [0]], [2, 0]),
  ],
  rotaryEmbedding: kept((x: tf.Tensor4D) => ops.rotaryEmbedding(x), [0, 2, 3, 4], [2, 0, 3, 4], [2, 2, 0, 4], [2, 2, 3, 0]),
  softmax: [
    ...kept((x: tf.Tensor) => ops.softmax(x), [0], [0, 3], [2, 0], [2, 0, 3]),
    ...kept((x: tf.Tensor) => ops.softmax(x, 1), [2, 3, 0], [2, 0, 3]),
    call((x: tf.Tensor) => ops.softmax(x, -1, { mask: tf.ones([0, 3]) }), [[0, 3]], [0, 3]),
  ],
  softmaxCrossEntropy: [
    call((x: tf.Tensor) => ops.softmaxCrossEntropy(x, ids(0)), [[0, 3]], []),
    call((x: tf.Tensor) => ops.softmaxCrossEntropy(x, ids(2, 0)), [[2, 0, 3]], []),
    call(
      (x: tf.Tensor, y: tf.Tensor) => ops.softmaxCrossEntropy(x, y),
      [
        [0, 3],
        [0, 3],
      ],
      [],
    ),
    call(
      (x: tf.Tensor, y: tf.Tensor) => ops.softmaxCrossEntropy(x, y),
      [
        [2, 0],
        [2, 0],
      ],
      [],
    ),
  ],
  einsum: [
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.einsum('ij,jk->ik', a, b),
      [
        [2, 0],
        [0, 3],
      ],
      [2, 3],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.einsum('ij,jk->ik', a, b),
      [
        [0, 2],
        [2, 3],
      ],
      [0, 3],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.einsum('bij,bjk->bik', a, b),
      [
        [4, 2, 0],
        [4, 0, 3],
      ],
      [4, 2, 3],
    ),
    call((a: tf.Tensor) => ops.einsum('ij->i', a), [[2, 0]], [2]),
    call((a: tf.Tensor) => ops.einsum('ij->', a), [[0, 3]], []),
    call((a: tf.Tensor) => ops.einsum('ii', a), [[0, 0]], []),
    call((a: tf.Tensor) => ops.einsum('ij->ji', a), [[0, 3]], [3, 0]),
    call((a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => ops.einsum('i,j,k->ijk', a, b, c), [[2], [0], [3]], [2, 0, 3]),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.einsum('...i,...i->...', a, b),
      [
        [0, 3],
        [1, 3],
      ],
      [0],
    ),
    call((a: tf.Tensor, b: tf.Tensor) => ops.einsum('i,i->i', a, b), [[0], [1]], [0]),
    call(
      (a: tf.Tensor, b: tf.Tensor, c: tf.Tensor) => ops.einsum('ij,jk,kl->il', a, b, c),
      [
        [2, 3],
        [3, 0],
        [0, 4],
      ],
      [2, 4],
    ),
  ],
  contract: [
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.contract(a, [1], b, [0]),
      [
        [2, 0],
        [0, 3],
      ],
      [2, 3],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.contract(a, [1], b, [0]),
      [
        [0, 2],
        [2, 3],
      ],
      [0, 3],
    ),
  ],
  outer: [
    call((a: tf.Tensor, b: tf.Tensor) => ops.outer(a, b), [[0], [3]], [0, 3]),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.outer(a, b),
      [
        [2, 3],
        [0, 4],
      ],
      [2, 3, 0, 4],
    ),
  ],
  unfold: [
    call((t: tf.Tensor) => ops.unfold(t, 1), [[2, 0, 3]], [0, 6]),
    call((t: tf.Tensor) => ops.unfold(t, 0), [[2, 0, 3]], [2, 0]),
  ],
  fold: [
    call((m: tf.Tensor) => ops.fold(m, 1, [2, 0, 3]), [[0, 6]], [2, 0, 3]),
    call((m: tf.Tensor) => ops.fold(m, 0, [2, 0, 3]), [[2, 0]], [2, 0, 3]),
  ],
  matricize: [call((t: tf.Tensor) => ops.matricize(t, [2, 0], [1]), [[2, 0, 3]], [6, 0])],
  dematricize: [call((m: tf.Tensor) => ops.dematricize(m, [2, 0], [1], [2, 0, 3]), [[6, 0]], [2, 0, 3])],
  modeProduct: [
    call(
      (t: tf.Tensor, m: tf.Tensor) => ops.modeProduct(t, m, 1),
      [
        [2, 0, 3],
        [4, 0],
      ],
      [2, 4, 3],
    ),
    call(
      (t: tf.Tensor, m: tf.Tensor) => ops.modeProduct(t, m, 1),
      [
        [2, 5, 0],
        [4, 5],
      ],
      [2, 4, 0],
    ),
    call(
      (t: tf.Tensor, m: tf.Tensor) => ops.modeProduct(t, m, 0),
      [
        [2, 5],
        [0, 2],
      ],
      [0, 5],
    ),
  ],
  kronecker: [
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.kronecker(a, b),
      [
        [2, 0],
        [3, 4],
      ],
      [6, 0],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.kronecker(a, b),
      [
        [2, 2],
        [0, 4],
      ],
      [0, 8],
    ),
  ],
  khatriRao: [
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.khatriRao(a, b),
      [
        [2, 0],
        [3, 0],
      ],
      [6, 0],
    ),
    call(
      (a: tf.Tensor, b: tf.Tensor) => ops.khatriRao(a, b),
      [
        [0, 2],
        [3, 2],
      ],
      [0, 2],
    ),
  ],
  cpToTensor: [
    call(
      (u: tf.Tensor, v: tf.Tensor) => ops.cpToTensor({ factors: [u, v] as never }),
      [
        [2, 0],
        [3, 0],
      ],
      [2, 3],
    ),
    call(
      (w: tf.Tensor, u: tf.Tensor, v: tf.Tensor) => ops.cpToTensor({ weights: w, factors: [u, v] } as never),
      [[2], [0, 2], [3, 2]],
      [0, 3],
    ),
  ],
  tuckerToTensor: [
    call(
      (core: tf.Tensor, u: tf.Tensor, v: tf.Tensor) => ops.tuckerToTensor({ core, factors: [u, v] } as never),
      [
        [0, 2],
        [4, 0],
        [3, 2],
      ],
      [4, 3],
    ),
    call(
      (core: tf.Tensor, u: tf.Tensor, v: tf.Tensor) => ops.tuckerToTensor({ core, factors: [u, v] } as never),
      [
        [2, 2],
        [0, 2],
        [3, 2],
      ],
      [0, 3],
    ),
  ],
};

/** Exports that take no tensors. */
const others = [
  'bindShapes',
  'checkOptions',
  'checkTensor',
  'contractionPath',
  'declareSums',
  'declareTiles',
  'defineOperator',
  'defineWasmModule',
  'deviceLost',
  'enableWasmKernels',
  'implementationOf',
  'initBackend',
  'multiplyTiles',
  'planGemm',
  'recoverWebGpuDevice',
  'runGemm',
  'runProgram',
  'setWasmBuild',
  'tensorPointer',
  'timeKernels',
  'wasmBuild',
  'webGpuBackend',
  'withImplementation',
  'withScratch',
  'workgroupBytesOf',
];
/** Empty arguments of these are tested with each, or in `bad-arguments.test.ts`. */
const testedElsewhere = [
  'adamWState',
  'adamWStep',
  'globalNorm',
  'cpDecompose64',
  'leastSquares64',
  'logdet64',
  'qr64',
  'svd64',
  'tuckerDecompose64',
];

it('every public function that takes tensors is here', () => {
  const functions = Object.entries(ops).filter(([name, value]) => typeof value === 'function' && /^[a-z]/.test(name));
  expect(functions.map(([name]) => name).sort()).toEqual([...Object.keys(calls), ...others, ...testedElsewhere].sort());
});

const rows = Object.entries(calls).flatMap(([name, list]) => list.map((one) => [name, JSON.stringify(one.args), one] as const));

describeBackends('with an empty axis', () => {
  describe.each(['chosen', 'composed'] as const)('%s form', (form) => {
    const run = <T>(fn: () => T): T => (form === 'composed' ? ops.withImplementation('composed', fn) : fn());
    it.each(rows)('%s of %s', async (_, __, { of, args, shape, value = 0 }) => {
      const given = args.map((size) => tf.ones([...size]));
      const { value: result, grads } = run(() => tf.valueAndGrads((...x: tf.Tensor[]) => of(...x))(given, tf.ones([...shape])));
      expect(result.shape).toEqual(shape);
      expect(new Set(await result.data())).toEqual(new Set(result.size ? [value] : []));
      for (const [i, gradient] of grads.entries()) {
        expect(gradient.shape).toEqual(args[i]);
        expect(new Set(await gradient.data())).toEqual(new Set(gradient.size ? [0] : []));
      }
    });
  });

  it('leaks nothing', async () => {
    for (const [, , { of, args, shape }] of rows) {
      const given = args.map((size) => tf.ones([...size]));
      await expectNoLeak(() =>
        tf.tidy(() => tf.dispose(tf.valueAndGrads((...x: tf.Tensor[]) => of(...x))(given, tf.ones([...shape])) as never)),
      );
    }
  });
});
