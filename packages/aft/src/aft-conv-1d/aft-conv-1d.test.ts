import { implementationOf, withImplementation } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftConv1d, aftConv1dOperator } from './aft-conv-1d';

const x = <T extends tf.Tensor>(...shape: number[]): T => tf.ones(shape) as T;
const [query, key, value, kernel] = [
  [2, 5, 8],
  [2, 5, 4],
  [2, 5, 8],
  [4, 3],
] as const;

describeBackends('aftConv1d', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const [q, k, v, w] = [x<tf.Tensor3D>(...query), x<tf.Tensor3D>(...key), x<tf.Tensor3D>(...value), x<tf.Tensor2D>(...kernel)];
    const refusals: [() => unknown, string, string][] = [
      [
        () => aftConv1d(q, x(2, 4, 4), v, w),
        'ShapeError',
        "aftConv1d: axis 'time' is 5 in query but 4 in key\n" +
          '  query   [batch time dim]    [2, 5, 8]\n  key     [batch time heads]  [2, 4, 4]\n' +
          '  value   [batch time dim]    [2, 5, 8]\n  kernel  [heads window]      [4, 3]',
      ],
      [() => aftConv1d(q, k, v, x(3, 3)), 'ShapeError', "aftConv1d: axis 'heads' is 4 in key but 3 in kernel"],
      [
        () => aftConv1d(q, x(2, 5, 3), v, x(3, 3)),
        'ShapeError',
        'aftConv1d: heads must divide dim, got 3 heads in key [2, 5, 3] and dim 8 in value [2, 5, 8]; 8 divides by 1, 2, 4, 8',
      ],
      [() => aftConv1d(q, k, v, x(4, 0)), 'ShapeError', 'aftConv1d: kernel must have at least one tap, got [4, 0]'],
      [() => aftConv1d(q, k, v, x(4, 3, 3)), 'ShapeError', 'aftConv1d: kernel must have 2 axes [heads window], got 3'],
      [
        () => aftConv1d(q, k, v, w, { keyMask: tf.ones([2, 4]) }),
        'ShapeError',
        "aftConv1d: axis 'time' is 5 in query but 4 in keyMask",
      ],
      [
        () => aftConv1d(q, k, v, tf.cast(w, 'int32') as never),
        'DTypeError',
        "aftConv1d: kernel must be float32, got int32; cast it with kernel.cast('float32')",
      ],
      [
        () => aftConv1d(q, k, v, w, { windowSize: 3 } as never),
        'OptionError',
        "aftConv1d: unknown option 'windowSize'; the options are causal, keyMask, queryActivation",
      ],
      [
        () => aftConv1d(q, k, v, w, { causal: 1 } as never),
        'OptionError',
        'aftConv1d: option causal must be true or false, got 1',
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

  test('says which form runs', () => {
    const shapes = { query, key, value, kernel };
    const chosen = implementationOf(aftConv1dOperator, shapes);
    expect(chosen).toMatchObject({ backend: backend.name, form: backend.name === 'cpu' ? 'composed' : 'fused' });
    expect(withImplementation('composed', () => implementationOf(aftConv1dOperator, shapes)).form).toBe('composed');
    expect(() => implementationOf(aftConv1dOperator, { ...shapes, key: [2, 5, 3], kernel: [3, 3] })).toThrow(
      'aftConv1d: heads must divide dim',
    );
  });
});
