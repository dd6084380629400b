import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { beforeAll, expect, test } from 'vitest';
import { defineOperator } from './define-operator';
import { withImplementation } from './implementation';

/** Repeats its rows; how often it was asked for its shapes shows what is remembered. */
let plannings = 0;
const repeat = defineOperator({
  name: 'TestRepeat',
  inputs: { x: 'rows dim', 'bias?': 'dim' },
  attributes: { times: 1 },
  outputs: { y: '...y' },
  shapes({ x }, { times }) {
    plannings++;
    return { '...y': [x![0]! * times, x![1]!] };
  },
  compose: ({ x, bias }, { times }) => ({ y: tf.tile(bias ? tf.add(x, bias) : x, [times, 1]) }),
});

beforeAll(() => tf.setBackend('cpu'));

const called = (shape: [number, number], times = 1, bias?: tf.Tensor1D) => repeat.run({ x: tf.ones(shape), bias }, { times }).y;

test('a call like an earlier one is not planned again; any difference of shapes, attributes or presence is', () => {
  plannings = 0;
  const shapes = [
    called([2, 3]).shape,
    called([2, 3]).shape,
    called([2, 3], 2).shape,
    called([3, 3], 2).shape,
    called([2, 3], 2).shape,
    called([2, 3], 2, tf.ones([3])).shape,
    called([2, 3]).shape,
  ];
  expect(shapes).toEqual([
    [2, 3],
    [2, 3],
    [4, 3],
    [6, 3],
    [4, 3],
    [4, 3],
    [2, 3],
  ]);
  expect(plannings).toBe(4);
});

test('remembers a number of calls, and is right about those it forgot', () => {
  for (let round = 0; round < 2; round++) {
    for (let rows = 1; rows <= 40; rows++) expect(called([rows, 2], 3).shape).toEqual([3 * rows, 2]);
  }
});

test('a remembered call is still checked: what is given, its types, its options, its form', () => {
  const x = tf.ones<tf.Rank.R2>([2, 3]);
  repeat.run({ x }, { times: 1 });
  expect(() => repeat.run({ x, y: x } as never)).toThrow("testRepeat: unknown input 'y'");
  expect(() => repeat.run({ x: tf.ones([2, 3], 'int32') })).toThrow('testRepeat: x must be float32, got int32');
  expect(() => repeat.run({ x }, { times: Number.NaN })).toThrow('testRepeat: option times must be a finite number, got NaN');
  expect(() => repeat.run({ x, bias: tf.ones([2]) })).toThrow("testRepeat: axis 'dim' is 3 in x but 2 in bias");
  expect(() => withImplementation('fused', () => repeat.run({ x }))).toThrow('testRepeat: a fused kernel was asked for');
  const disposed = tf.ones<tf.Rank.R2>([2, 3]);
  disposed.dispose();
  expect(() => repeat.run({ x: disposed })).toThrow('testRepeat: x has been disposed');
});

test("a user's later change to a shape array does not reach what is remembered", () => {
  const x = tf.ones<tf.Rank.R2>([5, 7]);
  const y = called([5, 7]);
  x.shape[0] = 1;
  y.shape[0] = 1;
  expect(called([5, 7]).shape).toEqual([5, 7]);
});
