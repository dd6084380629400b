import { implementationOf, withImplementation } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftSimple, aftSimpleCausalOperator, aftSimpleOperator } from './aft-simple';
import { fusedBackends } from './test-calls';

const x = (...shape: [number, number, number]): tf.Tensor3D => tf.ones(shape);

describeBackends('aftSimple', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const [a, b] = [x(2, 5, 8), x(2, 4, 8)];
    const refusals: [() => unknown, string, string][] = [
      [
        () => aftSimple(a, b, a),
        'ShapeError',
        "aftSimple: axis 'time' is 5 in query but 4 in key\n" +
          '  query  [batch time dim]  [2, 5, 8]\n  key    [batch time dim]  [2, 4, 8]\n  value  [batch time dim]  [2, 5, 8]',
      ],
      [
        () => aftSimple(tf.ones([5, 8]) as never, a, a),
        'ShapeError',
        'aftSimple: query must have 3 axes [batch time dim], got 2',
      ],
      [
        () => aftSimple(a, a, a, { keyMask: tf.ones([2, 4]) }),
        'ShapeError',
        "aftSimple: axis 'time' is 5 in query but 4 in keyMask",
      ],
      [
        () => aftSimple(tf.cast(a, 'int32') as never, a, a),
        'DTypeError',
        "aftSimple: query must be float32, got int32; cast it with query.cast('float32')",
      ],
      [() => aftSimple(a, a, undefined as never), 'DTypeError', 'aftSimple: value must be a Tensor, got undefined'],
      [
        () => aftSimple(a, a, a, { casual: true } as never),
        'OptionError',
        "aftSimple: unknown option 'casual'; the options are causal, keyMask, queryActivation",
      ],
      [() => aftSimple(a, a, a, { causal: 1 } as never), 'OptionError', 'aftSimple: option causal must be true or false, got 1'],
      [
        () => aftSimple(a, a, a, { queryActivation: 'gelu' } as never),
        'OptionError',
        "aftSimple: option queryActivation must be one of null, 'linear', 'sigmoid', 'tanh', 'relu', got 'gelu'",
      ],
    ];
    for (const [refused, name, message] of refusals) {
      await expectNoLeak(() => {
        tf.tidy(() => {
          expect(refused).toThrow(expect.objectContaining({ name, message: expect.stringContaining(message) }));
        });
      });
    }
    const gone = x(2, 5, 8);
    gone.dispose();
    expect(() => aftSimple(a, gone, a)).toThrow('aftSimple: key has been disposed');
  });

  test('says which form runs, and runs the form that is asked for', () => {
    const fused = (fusedBackends as readonly string[]).includes(backend.name);
    for (const operator of [aftSimpleOperator, aftSimpleCausalOperator]) {
      const shapes = { query: [1, 4, 2], key: [1, 4, 2], value: [1, 4, 2] };
      const chosen = implementationOf(operator, shapes);
      expect(chosen).toMatchObject({ backend: backend.name, form: fused ? 'fused' : 'composed' });
      expect(chosen.build).toBe(backend.wasmBuild);
      expect(withImplementation('composed', () => implementationOf(operator)).form).toBe('composed');
      expect(() => implementationOf(operator, { query: [1, 4] })).toThrow('aftSimple: query must have 3 axes');
    }
    const fusedCall = () => withImplementation('fused', () => aftSimple(x(1, 4, 2), x(1, 4, 2), x(1, 4, 2)));
    if (fused) expect(fusedCall().shape).toEqual([1, 4, 2]);
    else
      expect(fusedCall).toThrow(
        `aftSimple: a fused kernel was asked for, but AftSimple has no fused kernel for backend '${backend.name}'`,
      );
  });

  test('refuses a second-order gradient', () => {
    const inner = tf.grad((q: tf.Tensor) => aftSimple(q as tf.Tensor3D, x(1, 3, 2), x(1, 3, 2)));
    expect(() => tf.grad((q: tf.Tensor) => inner(q))(x(1, 3, 2))).toThrow('aftSimple: second-order gradients are not supported');
    // tfjs frees what a tape has saved only if the gradient succeeds.
    for (const node of tf.engine().state.activeTape) for (const saved of node.saved ?? []) saved.dispose();
  });
});
