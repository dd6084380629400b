import { implementationOf } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { logSumExp, logSumExpOperator } from '../log-sum-exp/log-sum-exp';
import { softmax, softmaxOperator } from './softmax';

describeBackends('softmax and logSumExp', (backend) => {
  test('refuse what does not fit, in words, and leak nothing', async () => {
    const x = tf.ones([2, 3, 4]);
    const refusals: [() => unknown, string, string][] = [
      [() => softmax(x, 3), 'OptionError', 'softmax: axis must be an integer from -3 to 2, got 3'],
      [() => softmax(x, -4), 'OptionError', 'softmax: axis must be an integer from -3 to 2, got -4'],
      [() => softmax(x, 0.5), 'OptionError', 'softmax: axis must be an integer from -3 to 2, got 0.5'],
      [() => softmax(tf.scalar(1)), 'OptionError', 'softmax: x must have at least 1 axis, got a scalar'],
      [() => softmax(tf.cast(x, 'int32')), 'DTypeError', 'softmax: x must be float32, got int32'],
      [() => softmax(undefined as never), 'DTypeError', 'softmax: x must be a Tensor, got undefined'],
      [
        () => softmax(x, -1, { mask: tf.ones([3]) }),
        'ShapeError',
        'softmax: mask must broadcast to x\n  x     [2, 3, 4]\n  mask  [3]',
      ],
      [() => softmax(x, -1, { mask: tf.ones([1, 2, 3, 4]) }), 'ShapeError', 'softmax: mask must broadcast to x'],
      [() => softmax(x, -1, { mask: 1 } as never), 'OptionError', 'softmax: option mask must be a Tensor, got 1'],
      [() => softmax(x, -1, { maks: x } as never), 'OptionError', "softmax: unknown option 'maks'; the options are mask"],
      [() => logSumExp(x, 3), 'OptionError', 'logSumExp: axis must be an integer from -3 to 2, got 3'],
      [() => logSumExp(tf.scalar(1)), 'OptionError', 'logSumExp: x must have at least 1 axis, got a scalar'],
      [() => logSumExp(tf.cast(x, 'bool')), 'DTypeError', 'logSumExp: x must be float32, got bool'],
    ];
    for (const [refused, name, message] of refusals) {
      await expectNoLeak(() => {
        tf.tidy(() => {
          expect(refused).toThrow(expect.objectContaining({ name, message: expect.stringContaining(message) }));
        });
      });
    }
  });

  test('say which form runs', () => {
    const form = backend.name === 'cpu' ? 'composed' : 'fused';
    for (const operator of [softmaxOperator, logSumExpOperator]) {
      expect(implementationOf(operator, { x: [2, 4] })).toMatchObject({ form });
    }
  });

  if (backend.name !== 'webgpu') {
    test('NaN reaches its row and no other', async () => {
      const x = tf.tensor2d([1, 2, 3, 4, Number.NaN, 4, 5, 7, 9, 1], [2, 5]);
      expect(Array.from(await softmax(x).data(), Number.isNaN)).toEqual([...Array(5).fill(true), ...Array(5).fill(false)]);
      expect(Array.from(await logSumExp(x).data(), Number.isNaN)).toEqual([true, false]);
    });
  }
});
