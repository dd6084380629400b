import { expect, test } from 'vitest';
import { cpDecompose64 } from './cp-decompose64';
import { leastSquares64 } from './least-squares64';
import { logdet64 } from './logdet64';
import { qr64 } from './qr64';
import { svd64 } from './svd64';
import { tuckerDecompose64 } from './tucker-decompose64';

const I = [
  [1, 0],
  [0, 1],
];

test.each<[message: string, name: string, call: () => unknown]>([
  [
    'svd64: a[1] must be an array of 2, as its first neighbour is, got 3 entries',
    'ShapeError',
    () =>
      svd64([
        [1, 2],
        [1, 2, 3],
      ]),
  ],
  ['svd64: a must be a matrix, got shape [2]', 'ShapeError', () => svd64([1, 2] as never)],
  [
    'svd64: a must hold finite numbers, got NaN at place 3',
    'DTypeError',
    () =>
      svd64([
        [1, 2],
        [3, Number.NaN],
      ]),
  ],
  ["qr64: a must hold numbers, got 'x' at a[0][1]", 'DTypeError', () => qr64([[1, 'x' as never]])],
  ['qr64: a must be nested arrays of numbers or {shape, data}, got 5', 'DTypeError', () => qr64(5 as never)],
  ['qr64: a has shape [2, 2] but 3 numbers', 'ShapeError', () => qr64({ shape: [2, 2], data: new Float64Array(3) })],
  ['logdet64: a must be square, got shape [1, 2]', 'ShapeError', () => logdet64([[1, 2]])],
  ['leastSquares64: B has 2 rows but F has 3', 'ShapeError', () => leastSquares64(I, [1, 2, 3])],
  ['leastSquares64: option rcond must be', 'OptionError', () => leastSquares64(I, [1, 2], { rcond: -1 })],
  ["leastSquares64: unknown option 'rcnd'", 'OptionError', () => leastSquares64(I, [1, 2], { rcnd: 1 } as never)],
  ['cpDecompose64: rank must be an integer above 0, got 0', 'OptionError', () => cpDecompose64(I, 0)],
  ['cpDecompose64: t must have 2 axes or more', 'ShapeError', () => cpDecompose64([1, 2], 1)],
  ['tuckerDecompose64: ranks must be an array of 2', 'OptionError', () => tuckerDecompose64(I, [1])],
  ['tuckerDecompose64: ranks[0] must be an integer from 1 to 2', 'OptionError', () => tuckerDecompose64(I, [3, 2])],
])('refuses: %s', (message, name, call) => {
  expect(call).toThrow(expect.objectContaining({ name, message: expect.stringContaining(message) }));
});
