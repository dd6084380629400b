import { implementationOf } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { rmsNorm, rmsNormOperator } from '../rms-norm/rms-norm';
import { layerNorm, layerNormOperator } from './layer-norm';

describeBackends('layerNorm and rmsNorm', (backend) => {
  test('refuse what does not fit, in words, and leak nothing', async () => {
    const [x, gain] = [tf.ones([2, 3, 4]), tf.ones([4]) as tf.Tensor1D];
    const refusals: [() => unknown, string, string][] = [
      [
        () => layerNorm(x, tf.ones([3])),
        'ShapeError',
        "layerNorm: axis 'dim' is 4 in x but 3 in gain\n  x     [...rows dim]  [2, 3, 4]\n  gain  [dim]          [3]",
      ],
      [() => layerNorm(x, gain, tf.ones([1, 4]) as never), 'ShapeError', 'layerNorm: bias must have 1 axis [dim], got 2'],
      [() => layerNorm(tf.scalar(1), gain), 'ShapeError', 'layerNorm: x must have at least 1 axis [...rows dim], got 0'],
      [() => layerNorm(tf.cast(x, 'int32'), gain), 'DTypeError', 'layerNorm: x must be float32, got int32'],
      [() => layerNorm(x, null as never), 'DTypeError', 'layerNorm: gain must be a Tensor, got null'],
      [() => layerNorm(x, gain, gain, { eps: 1 } as never), 'OptionError', "layerNorm: unknown option 'eps'"],
      [
        () => layerNorm(x, gain, gain, { epsilon: 0 }),
        'OptionError',
        'layerNorm: option epsilon must be a finite number above 0',
      ],
      [() => rmsNorm(x, tf.ones([5])), 'ShapeError', "rmsNorm: axis 'dim' is 4 in x but 5 in gain"],
      [() => rmsNorm(x, gain, { epsilon: -1 }), 'OptionError', 'rmsNorm: option epsilon must be a finite number above 0, got -1'],
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
    for (const operator of [layerNormOperator, rmsNormOperator]) {
      expect(implementationOf(operator, { x: [2, 4], gain: [4] })).toMatchObject({ form });
    }
  });

  if (backend.name !== 'webgpu') {
    test('NaN reaches its row and no other', async () => {
      const x = tf.tensor2d([1, 2, Number.NaN, 4, 5, 7], [3, 2]);
      for (const output of [layerNorm(x, tf.ones([2])), rmsNorm(x, tf.ones([2]))]) {
        expect(Array.from(await output.data(), Number.isNaN)).toEqual([false, false, true, true, false, false]);
      }
    });
  }
});
