import { implementationOf, withImplementation } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import type { PositionBias } from '../position-bias';
import { aftLocal, aftLocalBandedOperator, aftLocalDenseOperator, aftLocalFactoredOperator } from './aft-local';
import { fusedBackends } from './test-calls';

const x = (...shape: [number, number, number]): tf.Tensor3D => tf.ones(shape);

describeBackends('aftLocal', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const [a, b, table] = [x(2, 5, 8), x(2, 4, 8), tf.ones<tf.Rank.R2>([5, 5])];
    const call = (bias: unknown, options: object = { windowSize: 2 }) =>
      aftLocal(a, a, a, bias as PositionBias, options as { windowSize: number });
    const refusals: [() => unknown, string, string][] = [
      [
        () => aftLocal(a, b, a, table, { windowSize: 2 }),
        'ShapeError',
        "aftLocal: axis 'time' is 5 in query but 4 in key\n" +
          '  query  [batch time dim]  [2, 5, 8]\n  key    [batch time dim]  [2, 4, 8]\n  value  [batch time dim]  [2, 5, 8]',
      ],
      [
        () => call(table, { windowSize: -1 }),
        'OptionError',
        'aftLocal: option windowSize must be an integer, 0 or above, got -1',
      ],
      [
        () => call(table, { windowSize: 2.5 }),
        'OptionError',
        'aftLocal: option windowSize must be an integer, 0 or above, got 2.5',
      ],
      [() => call(table, {}), 'OptionError', 'aftLocal: option windowSize is missing; it must be an integer, 0 or above'],
      [() => aftLocal(a, a, a, table, undefined as never), 'OptionError', 'aftLocal: option windowSize is missing'],
      [
        () => call(tf.ones([4, 5])),
        'ShapeError',
        "aftLocal: positionBias [4, 5] covers 4 on axis 'target', the sequence has 5; give a larger one, or a shorter sequence",
      ],
      [
        () => call({ u: tf.ones([5, 3]), v: tf.ones([4, 3]) }),
        'ShapeError',
        "aftLocal: v [4, 3] covers 4 on axis 'source', the sequence has 5",
      ],
      [() => call({ u: tf.ones([5, 3]), v: tf.ones([5, 2]) }), 'ShapeError', "aftLocal: axis 'rank' is 3 in u but 2 in v"],
      [() => call({ band: tf.ones([5, 4]) }), 'ShapeError', 'aftLocal: axis 1 of band must be 3, got 4'],
      [() => call({ band: tf.ones([4, 3]) }), 'ShapeError', "aftLocal: band [4, 3] covers 4 on axis 'time', the sequence has 5"],
      [
        () => call({ w: table }),
        'OptionError',
        'aftLocal: positionBias must be a Tensor [target, source] or its factors {u, v} or {band}',
      ],
      [
        () => call(table, { windowSize: 2, keyMask: tf.ones([2, 4]) }),
        'ShapeError',
        "aftLocal: axis 'time' is 5 in query but 4 in keyMask",
      ],
      [
        () => call(table, { windowSize: 2, window: 3 }),
        'OptionError',
        "aftLocal: unknown option 'window'; the options are windowSize, causal, keyMask, queryActivation",
      ],
      [
        () =>
          aftLocalBandedOperator.run(
            { query: a, key: a, value: a, band: tf.ones([5, 3]), state: tf.ones([2, 40]) },
            { windowSize: 2 },
          ),
        'ShapeError',
        'aftLocal: a state needs causal',
      ],
      [
        () => aftLocalDenseOperator.run({ query: a, key: a, value: a, positionBias: table }, { windowSize: 2, position: 1 }),
        'ShapeError',
        'aftLocal: positionBias covers 5 of 6 on axis 0',
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
    const fused = (fusedBackends as readonly string[]).includes(backend.name);
    const tokens = { query: [1, 4, 2], key: [1, 4, 2], value: [1, 4, 2] };
    for (const [operator, shapes] of [
      [aftLocalBandedOperator, { band: [4, 3] }],
      [aftLocalDenseOperator, { positionBias: [4, 4] }],
      [aftLocalFactoredOperator, { u: [4, 2], v: [4, 2] }],
    ] as const) {
      const chosen = withImplementation(fused ? 'fused' : 'composed', () => implementationOf(operator));
      expect(chosen).toMatchObject({ backend: backend.name, form: fused ? 'fused' : 'composed' });
      expect(chosen.build).toBe(backend.wasmBuild);
      expect(() => implementationOf(operator, { ...tokens, ...shapes, key: [1, 4] })).toThrow('aftLocal: key must have 3 axes');
    }
  });

  test('refuses a second-order gradient', () => {
    const table = tf.ones<tf.Rank.R2>([3, 3]);
    const inner = tf.grad((q: tf.Tensor) => aftLocal(q as tf.Tensor3D, x(1, 3, 2), x(1, 3, 2), table, { windowSize: 2 }));
    expect(() => tf.grad((q: tf.Tensor) => inner(q))(x(1, 3, 2))).toThrow('aftLocal: second-order gradients are not supported');
    // tfjs frees what a tape has saved only if the gradient succeeds.
    for (const node of tf.engine().state.activeTape) for (const saved of node.saved ?? []) saved.dispose();
  });
});
