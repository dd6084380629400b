import { implementationOf } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { softmaxCrossEntropy, softmaxCrossEntropyOperator, softmaxCrossEntropyTargetsOperator } from './softmax-cross-entropy';

describeBackends('softmaxCrossEntropy', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const [logits, labels] = [tf.ones([2, 3, 4]), tf.zeros([2, 3], 'int32')];
    const refusals: [() => unknown, string, string][] = [
      [
        () => softmaxCrossEntropy(logits, tf.zeros([3], 'int32')),
        'ShapeError',
        "softmaxCrossEntropy: axes '...rows' are [2, 3] in logits but [3] in labels\n" +
          '  logits  [...rows classes]  [2, 3, 4]\n  labels  [...rows]          [3]',
      ],
      [
        () => softmaxCrossEntropy(logits, tf.ones([2, 3, 5])),
        'ShapeError',
        "softmaxCrossEntropy: axis 'classes' is 4 in logits but 5 in labels",
      ],
      [
        () => softmaxCrossEntropy(logits, tf.zeros([2, 3], 'bool')),
        'DTypeError',
        'softmaxCrossEntropy: labels must be int32 (classes) or float32 (a probability per class), got bool',
      ],
      [
        () => softmaxCrossEntropy(logits, [0] as never),
        'DTypeError',
        'softmaxCrossEntropy: labels must be a Tensor, got an array',
      ],
      [() => softmaxCrossEntropy(tf.cast(logits, 'int32'), labels), 'DTypeError', 'softmaxCrossEntropy: logits must be float32'],
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
    expect(implementationOf(softmaxCrossEntropyOperator)).toMatchObject({ form });
    expect(implementationOf(softmaxCrossEntropyTargetsOperator)).toMatchObject({ form });
  });

  if (backend.name !== 'webgpu') {
    test('NaN reaches the loss', async () => {
      const logits = tf.tensor2d([1, 2, Number.NaN, 4], [2, 2]);
      const loss = softmaxCrossEntropy(logits, tf.tensor1d([0, 1], 'int32'));
      expect((await loss.data())[0]).toBeNaN();
    });
  }
});
