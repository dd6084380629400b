import { implementationOf } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { gelu, geluOperator } from './gelu';

describeBackends('gelu', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const x = tf.ones([2, 3]);
    const refusals: [() => unknown, string, string][] = [
      [() => gelu(tf.cast(x, 'int32')), 'DTypeError', "gelu: x must be float32, got int32; cast it with x.cast('float32')"],
      [() => gelu(3 as never), 'DTypeError', 'gelu: x must be a Tensor, got 3'],
      [
        () => gelu(x, { approximate: 'sigmoid' } as never),
        'OptionError',
        "gelu: option approximate must be one of 'none', 'tanh', got 'sigmoid'",
      ],
      [() => gelu(x, { approximation: 'tanh' } as never), 'OptionError', "gelu: unknown option 'approximation'"],
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
    const form = backend.name === 'cpu' ? 'composed' : 'fused';
    expect(implementationOf(geluOperator, { x: [2, 4] })).toMatchObject({ form });
  });
});
