import { assertClose, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, test } from 'vitest';
import { cpDecompose64 } from '../float64/cp-decompose64';
import { contract } from './contract';
import { cpToTensor } from './cp-to-tensor';
import { khatriRao } from './khatri-rao';
import { kronecker } from './kronecker';
import { dematricize, matricize } from './matricize';
import { modeProduct } from './mode-product';
import { outer } from './outer';
import { tuckerToTensor } from './tucker-to-tensor';
import { fold, unfold } from './unfold';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const z = (...shape: number[]) => tf.zeros(shape);

test.each<[message: string, name: string, call: () => unknown]>([
  ['unfold: mode must be an axis (-2 to 1 for shape [2, 3]), got 2', 'OptionError', () => unfold(z(2, 3), 2)],
  ['got 0.5', 'OptionError', () => unfold(z(2, 3), 0.5)],
  ['unfold: mode must be an axis (a scalar has no axes), got 0', 'OptionError', () => unfold(tf.scalar(1), 0)],
  ['fold: matrix must have shape [3, 8] for shape [2, 3, 4], got [3, 7]', 'ShapeError', () => fold(z(3, 7), 1, [2, 3, 4])],
  ['fold: shape must be an array of sizes, got [2, -3]', 'ShapeError', () => fold(z(3, 8), 1, [2, -3])],
  ['got 24', 'ShapeError', () => fold(z(3, 8), 1, 24 as never)],
  ['must name every axis once, axis 1 of shape [2, 3] stands 0 times', 'OptionError', () => matricize(z(2, 3), [0], [])],
  ['axis 1 of shape [2, 3] stands 2 times', 'OptionError', () => matricize(z(2, 3), [0, 1], [-1])],
  ['matricize: rowAxes names axis 0 twice', 'OptionError', () => matricize(z(2, 3), [0, -2], [1])],
  ['matricize: rowAxes must be an array of axes, got 0', 'OptionError', () => matricize(z(2, 3), 0 as never, [1])],
  ['dematricize: matrix must have shape [2, 3]', 'ShapeError', () => dematricize(z(3, 2), [0], [1], [2, 3])],
  ['contract: axis 1 of a is 3 but axis 0 of b is 4', 'ShapeError', () => contract(z(2, 3), [1], z(4, 2), [0])],
  ['contract: axesA has 2 axes but axesB has 1', 'ShapeError', () => contract(z(2, 3), [1, 0], z(3, 2), [0])],
  ['contract: axesA[0] must be an axis', 'OptionError', () => contract(z(2, 3), [5], z(3, 2), [0])],
  ['matrix must have shape [rows, 3] for mode 1 of [2, 3], got [3, 4]', 'ShapeError', () => modeProduct(z(2, 3), z(3, 4), 1)],
  ['kronecker: a has 1 axes but b has 2', 'ShapeError', () => kronecker(z(2), z(2, 2))],
  ["khatriRao: axis 'columns' is 3 in a but 4 in b", 'ShapeError', () => khatriRao(z(2, 3), z(2, 4))],
  ['outer: b must be a Tensor, got an array', 'DTypeError', () => outer(z(2), [1] as never)],
  ['outer: b must be float32, got int32', 'DTypeError', () => outer(z(2), tf.zeros([2], 'int32'))],
  ['cpToTensor: factors must be an array of one matrix or more, got an array', 'OptionError', () => cpToTensor({ factors: [] })],
  ['factors[1] must have shape [size, 3], got [2, 4]', 'ShapeError', () => cpToTensor({ factors: [z(2, 3), z(2, 4)] })],
  ['factors[0] must have shape [size, rank], got [2]', 'ShapeError', () => cpToTensor({ factors: [z(2)] })],
  ['weights must have shape [3]', 'ShapeError', () => cpToTensor({ factors: [z(2, 3)], weights: z(2) })],
  ["cpToTensor: unknown option 'weight'", 'OptionError', () => cpToTensor({ factors: [z(2, 3)], weight: z(2) } as never)],
  ['factors must be an array of 2 matrices', 'OptionError', () => tuckerToTensor({ core: z(2, 2), factors: [z(3, 2)] })],
  [
    'factors[0] must have shape [size, 2] for core [2], got [3, 4]',
    'ShapeError',
    () => tuckerToTensor({ core: z(2), factors: [z(3, 4)] }),
  ],
])('refuses: %s', (message, name, call) => {
  expect(call).toThrow(expect.objectContaining({ name, message: expect.stringContaining(message) }));
});

test('cpToTensor takes what cpDecompose64 gives', async () => {
  const random = new SeededRandom(8);
  const factors = [4, 5, 3].map((size) => tensorOf(random.normals([size, 2])));
  const t = cpToTensor({ factors });
  const found = cpDecompose64({ shape: t.shape, data: Float64Array.from(await t.data()) }, 2);
  const weights = tf.tensor1d(Float32Array.from(found.weights));
  await assertClose('tensor', cpToTensor({ weights, factors: found.factors.map(tensorOf) }), t, { relative: 1e-6 });
});
