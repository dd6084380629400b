import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import * as ops from '../index';
import { functionsWithoutTensors } from '../test-functions-without-tensors';
import { emptyAlgebra } from './test-empty-algebra';
import { emptyPrimitives } from './test-empty-primitives';

const calls = { ...emptyPrimitives, ...emptyAlgebra };

const onesOf = (shapes: string) => (JSON.parse(`[${shapes}]`) as number[][]).map((shape) => tf.ones(shape));

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
  expect(functions.map(([name]) => name).sort()).toEqual(
    [...Object.keys(calls), ...functionsWithoutTensors, ...testedElsewhere].sort(),
  );
});

const rows = Object.entries(calls).flatMap(([name, list]) => list.map((one) => [name, one.args, one] as const));

describeBackends('with an empty axis', () => {
  describe.each(['chosen', 'composed'] as const)('%s form', (form) => {
    const run = <T>(fn: () => T): T => (form === 'composed' ? ops.withImplementation('composed', fn) : fn());
    it.each(rows)('%s of %s', async (_, __, { of, args, shape, value = 0 }) => {
      const given = onesOf(args);
      const { value: result, grads } = run(() => tf.valueAndGrads((...x: tf.Tensor[]) => of(...x))(given, tf.ones([...shape])));
      expect(result.shape).toEqual(shape);
      expect(new Set(await result.data())).toEqual(new Set(result.size ? [value] : []));
      for (const [i, gradient] of grads.entries()) {
        expect(gradient.shape).toEqual(given[i]!.shape);
        expect(new Set(await gradient.data())).toEqual(new Set(gradient.size ? [0] : []));
      }
    });
  });

  it('leaks nothing', async () => {
    for (const [, , { of, args, shape }] of rows) {
      const given = onesOf(args);
      await expectNoLeak(() =>
        tf.tidy(() => tf.dispose(tf.valueAndGrads((...x: tf.Tensor[]) => of(...x))(given, tf.ones([...shape])) as never)),
      );
    }
  });
});
