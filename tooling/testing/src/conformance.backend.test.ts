import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type ConformanceCase, checkCase } from './conformance';
import { describeBackends, runConformance } from './index';

/** Multiplies by `factor`, with a gradient that multiplies by `gradientFactor`. */
function scaled(x: tf.Tensor, factor: number, gradientFactor = factor): tf.Tensor {
  return tf.customGrad((input) => ({
    value: tf.mul(input as tf.Tensor, factor),
    gradFunc: (dy: tf.Tensor) => tf.mul(dy, gradientFactor),
  }))(x);
}

describeBackends('the conformance runner', (backend) => {
  // A shift by nothing.
  runConformance(
    backend,
    'shift',
    ({ x }) => scaled(x!, 1),
    ({ offset }) => offset === 0,
  );

  const vector: ConformanceCase = {
    name: 'doubled',
    attrs: {},
    inputs: { x: { shape: [2], data: [1, -2] }, keyMask: { shape: [2], data: [1, 1] } },
    output: { shape: [2], data: [2, -4] },
    cotangent: { shape: [2], data: [1, 3] },
    gradients: { x: { shape: [2], data: [2, 6] } },
  };
  const check = (file: string, factor: number, gradientFactor: number) =>
    checkCase(
      file,
      vector,
      ({ x }) => scaled(x!, factor, gradientFactor),
      (fn) => fn(),
      backend.tolerance,
    );

  test('passes a right operator, and finds a wrong output and a wrong gradient', async () => {
    await check('doubled', 2, 2);
    await expect(check('doubled', 2.001, 2)).rejects.toThrow(/^output: rms ratio/);
    await expect(check('doubled', 2, 2.001)).rejects.toThrow(/^x gradient: rms ratio/);
  });

  test('measures hostile files by their largest error', async () => {
    await check('doubledHostile', 2, 2.0001);
    await expect(check('doubledHostile', 2.001, 2)).rejects.toThrow(/^output: max/);
    await expect(check('doubledHostile', 2, 2.01)).rejects.toThrow(/^x gradient: max/);
    await check('mssaHostile', 2, 2.01);
  });

  test('refuses an unknown file', () => {
    expect(() => runConformance(backend, 'nothing', ({ x }) => x!)).toThrow("no file 'nothing'");
  });
});
