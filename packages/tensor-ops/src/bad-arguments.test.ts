import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import * as ops from './index';
import { functionsWithoutTensors } from './test-functions-without-tensors';

type Call = (...args: never[]) => unknown;

/** A public function with arguments that it takes: shapes stand for tensors of ones, anything else for itself. */
interface GoodCall {
  readonly of: Call;
  readonly args: readonly unknown[];
  /** Places of tensors that may be left out. */
  readonly optional?: readonly number[];
  /** Whether tensors of any rank go with it. */
  readonly anyRank?: boolean;
  /** The place of an axis. */
  readonly axis?: number;
  /** The place of the options, or of the one argument that has named parts. */
  readonly options?: number;
}

const shape = (...sizes: number[]) => ({ sizes });
const cp = (factors: unknown, weights?: unknown) => ops.cpToTensor({ weights, factors } as never);
const ids = () => tf.zeros([2], 'int32');

const calls: Readonly<Record<string, GoodCall>> = {
  cumulativeSum: { of: ops.cumulativeSum, args: [shape(2, 3), 1, {}], axis: 1, options: 2, anyRank: true },
  depthwiseConv1d: { of: ops.depthwiseConv1d, args: [shape(1, 4, 2), shape(3, 2), {}], options: 2 },
  depthwiseConv2d: { of: ops.depthwiseConv2d, args: [shape(1, 4, 4, 2), shape(3, 3, 2), {}], options: 2 },
  dropout: { of: ops.dropout, args: [shape(2), { rate: 0.5, seed: 1 }], options: 1, anyRank: true },
  embedding: { of: ((table: tf.Tensor2D) => ops.embedding(table, ids())) as Call, args: [shape(3, 2)] },
  gelu: { of: ops.gelu, args: [shape(2), {}], options: 1, anyRank: true },
  layerNorm: { of: ops.layerNorm, args: [shape(2, 3), shape(3), shape(3), {}], optional: [2], options: 3 },
  logSumExp: { of: ops.logSumExp, args: [shape(2, 3), 1], axis: 1, anyRank: true },
  matMul: { of: ops.matMul, args: [shape(2, 3), shape(3, 4), {}], options: 2 },
  rmsNorm: { of: ops.rmsNorm, args: [shape(2, 3), shape(3), {}], options: 2 },
  rotaryEmbedding: { of: ops.rotaryEmbedding, args: [shape(1, 1, 3, 4), {}], options: 1 },
  softmax: { of: ops.softmax, args: [shape(2, 3), 1, {}], axis: 1, options: 2, anyRank: true },
  softmaxCrossEntropy: { of: ops.softmaxCrossEntropy, args: [shape(2, 3), shape(2, 3)] },
  einsum: { of: ops.einsum, args: ['ij,jk->ik', shape(2, 3), shape(3, 4)] },
  contract: { of: ops.contract, args: [shape(2, 3), [1], shape(3, 4), [0]], anyRank: true },
  outer: { of: ops.outer, args: [shape(2), shape(3)], anyRank: true },
  unfold: { of: ops.unfold, args: [shape(2, 3), 1], axis: 1, anyRank: true },
  fold: { of: ops.fold, args: [shape(3, 2), 1, [2, 3]], axis: 1 },
  matricize: { of: ops.matricize, args: [shape(2, 3), [1], [0]] },
  dematricize: { of: ops.dematricize, args: [shape(3, 2), [1], [0], [2, 3]] },
  modeProduct: { of: ops.modeProduct, args: [shape(2, 3), shape(4, 3), 1], axis: 2, anyRank: true },
  kronecker: { of: ops.kronecker, args: [shape(2, 3), shape(3, 4)] },
  khatriRao: { of: ops.khatriRao, args: [shape(2, 3), shape(4, 3)] },
  cpToTensor: { of: ((u: tf.Tensor, v: tf.Tensor) => cp([u, v])) as Call, args: [shape(2, 3), shape(4, 3)] },
  tuckerToTensor: {
    of: ((core: tf.Tensor, u: tf.Tensor) => ops.tuckerToTensor({ core, factors: [u] } as never)) as Call,
    args: [shape(3), shape(2, 3)],
  },
  globalNorm: { of: ((x: tf.Tensor) => ops.globalNorm([x])) as Call, args: [shape(2, 3)], anyRank: true },
  adamWState: { of: ((x: tf.Tensor) => ops.adamWState([x])) as Call, args: [shape(2, 3)], anyRank: true },
  adamWStep: {
    of: ((x: tf.Tensor, gradient: tf.Tensor, options: object) =>
      ops.adamWStep([x], [gradient], ops.adamWState([tf.ones([2, 3])]), options)) as Call,
    args: [shape(2, 3), shape(2, 3), {}],
    options: 2,
  },
  leastSquares64: { of: ops.leastSquares64, args: [[[1]], [1], {}], options: 2 },
  cpDecompose64: { of: ops.cpDecompose64, args: [[[1]], 1, {}], options: 2 },
  tuckerDecompose64: { of: ops.tuckerDecompose64, args: [[[1]], [1, 1], {}], options: 2 },
};

const isShape = (value: unknown): value is { sizes: number[] } => typeof value === 'object' && value !== null && 'sizes' in value;

/** Calls a function with one argument replaced. */
function callWith({ of, args }: GoodCall, place: number, value: unknown): unknown {
  const made = args.map((argument, i) => (i === place ? value : isShape(argument) ? tf.ones(argument.sizes) : argument));
  return of(...(made as never[]));
}

const errorNames = ['ShapeError', 'DTypeError', 'OptionError'];

/** The function must throw one of our errors, which begins with its name. */
function expectRefusal(name: string, what: string, call: () => unknown): void {
  let thrown: unknown;
  try {
    call();
  } catch (error) {
    thrown = error;
  }
  if (thrown === undefined) throw new Error(`${name} takes ${what}`);
  const { name: kind, message } = thrown as Error;
  if (!errorNames.includes(kind) || !message.startsWith(`${name}: `))
    throw new Error(`${name} of ${what} throws ${kind}: ${message}`);
}

describeBackends(
  'public functions',
  () => {
    it.each(Object.entries(calls))('%s takes what it should', (_, call) => {
      expect(() => callWith(call, -1, null)).not.toThrow();
    });

    it.each(Object.entries(calls))('%s refuses what is no float32 tensor, by name', (name, call) => {
      for (const [place, argument] of call.args.entries()) {
        if (!isShape(argument)) continue;
        // Labels of softmaxCrossEntropy may be int32, but not of two axes here.
        const wrong: unknown[] = [null, 1, 'x', [1], {}, tf.zeros(argument.sizes, 'int32'), tf.zeros(argument.sizes, 'bool')];
        if (!call.optional?.includes(place)) wrong.push(undefined);
        for (const value of wrong)
          expectRefusal(name, `${String(value)} as argument ${place}`, () => callWith(call, place, value));
      }
    });

    it.each(Object.entries(calls))('%s refuses other shapes', (name, call) => {
      for (const [place, argument] of call.args.entries()) {
        if (!isShape(argument) || call.anyRank) continue;
        const more = tf.ones([...argument.sizes, 7, 7, 7]);
        expectRefusal(name, `a tensor of ${more.rank} axes as argument ${place}`, () => callWith(call, place, more));
      }
    });

    const withAxis = Object.entries(calls).filter(([, { axis }]) => axis !== undefined);
    it.each(withAxis)('%s refuses what is no axis', (name, call) => {
      for (const axis of [2, -3, 0.5, Number.NaN, '0', null, [0]]) {
        expectRefusal(name, `axis ${String(axis)}`, () => callWith(call, call.axis!, axis));
      }
    });

    const withOptions = Object.entries(calls).filter(([, { options }]) => options !== undefined);
    it.each(withOptions)('%s refuses options that it does not have, and what is no object', (name, call) => {
      const own = call.args[call.options!] as object;
      expect(() => callWith(call, call.options!, { ...own, axes: 1 })).toThrow(
        expect.objectContaining({
          name: 'OptionError',
          message: expect.stringContaining(`${name}: unknown option 'axes'; the options are `),
        }),
      );
      for (const value of [null, 1, true, 'x', [], tf.ones([2])]) {
        expectRefusal(name, `${String(value)} as options`, () => callWith(call, call.options!, value));
      }
    });

    it('are all here', () => {
      const functions = Object.entries(ops).filter(([name, value]) => /^[a-z]/.test(name) && typeof value === 'function');
      const takesOptions = functions.map(([name]) => name).filter((name) => !(name in calls));
      expect(takesOptions.sort()).toEqual([...functionsWithoutTensors, 'logdet64', 'qr64', 'svd64'].sort());
    });

    it('refuse unknown parts of what has named parts', () => {
      const matrix = tf.ones([2, 3]);
      expect(() => ops.cpToTensor({ factors: [matrix], weight: matrix } as never)).toThrow("cpToTensor: unknown option 'weight'");
      expect(() => ops.tuckerToTensor({ core: tf.ones([3]), factors: [matrix], cores: 1 } as never)).toThrow(
        "tuckerToTensor: unknown option 'cores'",
      );
      for (const value of [undefined, null, 1, []]) {
        expectRefusal('cpToTensor', String(value), () => ops.cpToTensor(value as never));
        expectRefusal('tuckerToTensor', String(value), () => ops.tuckerToTensor(value as never));
      }
    });

    it('refuse unknown options while devices start', async () => {
      await expect(ops.initBackend({ preferred: [] } as never)).rejects.toThrow("initBackend: unknown option 'preferred'");
      await expect(ops.enableWasmKernels({ thread: 2 } as never)).rejects.toThrow("enableWasmKernels: unknown option 'thread'");
    });

    it('name the position and the operand of what an equation gets wrong', () => {
      const [a, b] = [tf.ones([2, 3]), tf.ones([3, 4])];
      const refusals: [equation: unknown, operands: tf.Tensor[], message: string][] = [
        [
          'ij,jk->il',
          [a, b],
          "einsum: label 'l' at position 8 of the output is in no operand in 'ij,jk->il'\n  operand 0  [2, 3]\n  operand 1  [3, 4]",
        ],
        ['ij,jk->ii', [a, b], "label 'i' at position 8 stands twice in the output"],
        ['ijk,jk->i', [a, b], "operand 0 has 2 axes, but 3 labels 'ijk'"],
        ['ij,j', [a, b], "operand 1 has 2 axes, but 1 labels 'j'"],
        ['ij,ik', [a, b], "label 'i' is 2 in operand 0 but 3 at axis 0 of operand 1"],
        ['ij,j1->i', [a, b], "'1' at position 4 is neither a label nor ',', '->' or '...'"],
        ['ij;jk', [a, b], "';' at position 2"],
        ['ij,jk->i->k', [a, b], "'-' at position 8"],
        ['ij,jk>ik', [a, b], "'>' at position 5"],
        ['ij,jk->i,k', [a, b], "',' at position 8"],
        ['i..,jk', [a, b], "'.' at position 1"],
        ['...i...,jk', [a, b], "a second '...' stands at position 4"],
        ['ij,jk', [a], 'the number of operands is 2, but 1 tensors are given'],
        ['ij', [a, b], 'the number of operands is 1, but 2 tensors are given'],
        ['ij,', [a], 'the number of operands is 2, but 1 tensors are given'],
        ['', [a], "operand 0 has 2 axes, but 0 labels ''"],
        ['...ijk,jk', [a, b], 'operand 0 has 2 axes, but 3 labels'],
        [5, [a], 'the equation must be a string, got 5'],
        [undefined, [a], 'the equation must be a string, got undefined'],
      ];
      for (const [equation, operands, message] of refusals) {
        expect(() => ops.einsum(equation as string, ...operands), String(equation)).toThrow(
          expect.objectContaining({ name: 'ShapeError', message: expect.stringContaining(message) }),
        );
        expect(
          () =>
            ops.contractionPath(
              equation as string,
              operands.map((x) => x.shape),
            ),
          String(equation),
        ).toThrow(message.replace('einsum:', 'contractionPath:'));
      }
      expect(() => ops.einsum('ij')).toThrow('einsum: the number of operands is 1, but 0 tensors are given');
      expect(() => ops.contractionPath('ij', [['x', 2]] as never)).toThrow(
        'contractionPath: shapes[0] must be an array of sizes, got [x, 2]',
      );
      expect(() => ops.contractionPath('i,i', [[2], 2] as never)).toThrow(
        'contractionPath: shapes[1] must be an array of sizes, got 2',
      );
    });
  },
  { only: ['cpu'] },
);

it('decompositions of nothing are empty', () => {
  const none = (...sizes: number[]) => ({ shape: sizes, data: new Float64Array(0) });
  for (const [rows, columns] of [
    [0, 3],
    [3, 0],
    [0, 0],
  ] as const) {
    const { u, s, v } = ops.svd64(none(rows, columns));
    expect([u.shape, s.length, v.shape]).toEqual([[rows, 0], 0, [columns, 0]]);
    const { q, r } = ops.qr64(none(rows, columns));
    expect([q.shape, r.shape]).toEqual([
      [rows, 0],
      [0, columns],
    ]);
  }
  expect(ops.logdet64(none(0, 0))).toEqual({ sign: 1, logAbs: 0 });
  const cp = ops.cpDecompose64(none(2, 0), 2);
  expect([cp.relativeError, cp.factors.map(({ shape }) => shape), [...cp.weights]]).toEqual([
    0,
    [
      [2, 2],
      [0, 2],
    ],
    [0, 0],
  ]);
  const tucker = ops.tuckerDecompose64(none(2, 0), [0, 0]);
  expect([tucker.core.shape, tucker.factors.map(({ shape }) => shape), tucker.relativeError]).toEqual([
    [0, 0],
    [
      [2, 0],
      [0, 0],
    ],
    0,
  ]);
});

it('singular systems report their rank', () => {
  const singular = [
    [1, 2, 3],
    [2, 4, 6],
    [1, 0, 1],
  ];
  const { rank, conditionNumber } = ops.leastSquares64(singular, [1, 2, 3]);
  expect(rank).toBe(2);
  expect(conditionNumber).toBeGreaterThan(1e15);
  expect(ops.leastSquares64([[0, 0]], [1])).toMatchObject({ rank: 0, conditionNumber: Number.POSITIVE_INFINITY });
  expect(
    ops.logdet64([
      [1, 2],
      [2, 4],
    ]),
  ).toEqual({ sign: 0, logAbs: Number.NEGATIVE_INFINITY });
});
