import { implementationOf, withImplementation } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import {
  aftFull,
  aftFullBackwardOperator,
  aftFullFactoredBackwardOperator,
  aftFullFactoredOperator,
  aftFullOperator,
} from './aft-full';
import { fusedBackends } from './test-calls';

const x = (...shape: [number, number, number]): tf.Tensor3D => tf.ones(shape);
const table = (...shape: [number, number]): tf.Tensor2D => tf.ones(shape);

describeBackends('aftFull', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const [a, b, w] = [x(2, 5, 8), x(2, 4, 8), table(5, 5)];
    const refusals: [() => unknown, string, string][] = [
      [
        () => aftFull(a, a, b, w),
        'ShapeError',
        "aftFull: axis 'source' is 5 in key but 4 in value\n" +
          '  query  [batch target dim]  [2, 5, 8]\n  key    [batch source dim]  [2, 5, 8]\n  value  [batch source dim]  [2, 4, 8]',
      ],
      [() => aftFull(x(1, 5, 8), a, a, w), 'ShapeError', "aftFull: axis 'batch' is 1 in query but 2 in key"],
      [() => aftFull(a, x(2, 5, 7), a, w), 'ShapeError', "aftFull: axis 'dim' is 8 in query but 7 in key"],
      [
        () => aftFull(a, b, b, w, { causal: true }),
        'ShapeError',
        'aftFull: causal needs as many sources as targets, got 5 targets and 4 sources; leave causal out for cross-attention',
      ],
      [
        () => aftFull(a, a, a, table(5, 4)),
        'ShapeError',
        "aftFull: positionBias [5, 4] covers 4 on axis 'source', the sequence has 5",
      ],
      [() => aftFull(a, a, a, { u: table(5, 3), v: table(5, 2) }), 'ShapeError', "aftFull: axis 'rank' is 3 in u but 2 in v"],
      [
        () => aftFull(a, a, a, { u: table(4, 2), v: table(5, 2) }),
        'ShapeError',
        "aftFull: u [4, 2] covers 4 on axis 'target', the sequence has 5",
      ],
      [() => aftFull(a, a, a, { band: w }), 'OptionError', 'got {band}; only aftLocal takes a band'],
      [
        () => aftFull(a, a, a, w, { keyMask: tf.ones([2, 4]) }),
        'ShapeError',
        "aftFull: axis 'source' is 5 in key but 4 in keyMask",
      ],
      [() => aftFull(tf.cast(a, 'int32') as never, a, a, w), 'DTypeError', 'aftFull: query must be float32, got int32'],
      [() => aftFull(a, a, undefined as never, w), 'DTypeError', 'aftFull: value must be a Tensor, got undefined'],
      [
        () => aftFull(a, a, a, w, { casual: true } as never),
        'OptionError',
        "aftFull: unknown option 'casual'; the options are causal, keyMask, queryActivation",
      ],
    ];
    for (const [refused, name, message] of refusals) {
      await expectNoLeak(() => {
        tf.tidy(() => {
          expect(refused).toThrow(expect.objectContaining({ name, message: expect.stringContaining(message) }));
        });
      });
    }
  });

  test('says which form runs, and runs the form that is asked for', () => {
    const form = fusedBackends.includes(backend.name as 'wasm') ? 'fused' : 'composed';
    for (const operator of [aftFullOperator, aftFullBackwardOperator, aftFullFactoredOperator, aftFullFactoredBackwardOperator]) {
      expect(implementationOf(operator).form).toBe(form);
    }
    const call = () => aftFull(x(1, 2, 1), x(1, 2, 1), x(1, 2, 1), table(2, 2));
    expect(withImplementation('composed', call).shape).toEqual([1, 2, 1]);
    if (form === 'fused') expect(withImplementation('fused', call).shape).toEqual([1, 2, 1]);
    else expect(() => withImplementation('fused', call)).toThrow('aftFull: a fused kernel was asked for, but');
  });

  test('takes masks of every type', async () => {
    const [a, w] = [tf.randomNormal([2, 4, 3]) as tf.Tensor3D, table(4, 4)];
    const mask = [1, 0, 1, 1, 0, 0, 1, 1];
    const outputs = (['bool', 'int32', 'float32'] as const).map((dtype) =>
      aftFull(a, a, a, w, { keyMask: tf.tensor(mask, [2, 4], dtype) }),
    );
    const [first, ...others] = await Promise.all(outputs.map((output) => output.data()));
    for (const other of others) expect(other).toEqual(first);
  });
});
