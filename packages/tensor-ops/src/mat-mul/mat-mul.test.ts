import { implementationOf } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { matMul, matMulBackwardOperator, matMulOperator } from './mat-mul';

describeBackends('matMul', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const [a, b] = [tf.ones([2, 3, 4]), tf.ones([4, 5])];
    const refusals: [() => unknown, string, string][] = [
      [
        () => matMul(a, tf.ones([3, 5])),
        'ShapeError',
        "matMul: axis 'depth' is 4 in a but 3 in b\n  a  [...batch rows depth]  [2, 3, 4]\n  b  [depth columns]        [3, 5]",
      ],
      [() => matMul(a, b, { transposeB: true }), 'ShapeError', "matMul: axis 'depth' is 4 in a but 5 in b"],
      [() => matMul(a, tf.ones([3, 4, 5])), 'ShapeError', "matMul: axes '...batch' are [2] in a but [3] in b"],
      [() => matMul(tf.ones([4]), b), 'ShapeError', 'matMul: a must have at least 2 axes [...batch rows depth], got 1'],
      [() => matMul(a, tf.ones([4])), 'ShapeError', 'matMul: b must have at least 2 axes [...batch depth columns], got 1'],
      [() => matMul(a, tf.cast(b, 'int32')), 'DTypeError', 'matMul: b must be float32, got int32'],
      [() => matMul(a, [1] as never), 'DTypeError', 'matMul: b must be a Tensor, got an array'],
      [() => matMul(a, b, { transposeC: true } as never), 'OptionError', "matMul: unknown option 'transposeC'"],
      [() => matMul(a, b, { transposeA: 1 } as never), 'OptionError', 'matMul: option transposeA must be true or false, got 1'],
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
    expect(implementationOf(matMulOperator, { a: [2, 3, 4], b: [4, 5] })).toMatchObject({ form });
    const shapes = { a: [2, 4, 3], b: [4, 5], dOutput: [2, 3, 5] };
    expect(implementationOf(matMulBackwardOperator, shapes, { transposeA: true }).form).toBe(
      backend.name === 'webgpu' ? 'fused' : 'composed',
    );
  });
});
