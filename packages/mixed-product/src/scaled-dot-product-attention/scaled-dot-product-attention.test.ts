import { implementationOf, withImplementation } from '@mixfold/tensor-ops';
import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import {
  scaledDotProductAttention as attention,
  scaledDotProductAttentionBackwardOperator,
  scaledDotProductAttentionOperator,
} from './scaled-dot-product-attention';
import { fusedBackends } from './test-calls';

const x = (...shape: [number, number, number, number]): tf.Tensor4D => tf.ones(shape);

describeBackends('scaledDotProductAttention', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const [q, k, w] = [x(2, 4, 5, 3), x(2, 4, 6, 3), tf.ones([5, 6])];
    const refusals: [() => unknown, string, string][] = [
      [
        () => attention(q, k, x(2, 4, 7, 3)),
        'ShapeError',
        "scaledDotProductAttention: axis 'source' is 6 in key but 7 in value\n" +
          '  query  [batch heads target headDim]      [2, 4, 5, 3]',
      ],
      [() => attention(q, x(2, 4, 6, 2), k), 'ShapeError', "axis 'headDim' is 3 in query but 2 in key"],
      [
        () => attention(q, x(2, 3, 6, 3), x(2, 3, 6, 3)),
        'ShapeError',
        'scaledDotProductAttention: the heads of key must divide those of query, got 3 and 4',
      ],
      [
        () => attention(tf.ones([2, 5, 3]) as never, k, k),
        'ShapeError',
        'query must have 4 axes [batch heads target headDim], got 3',
      ],
      [
        () => attention(q, k, k, { mask: tf.ones([5, 5]) }),
        'ShapeError',
        'scaledDotProductAttention: mask must spread over [batch heads target source] [2, 4, 5, 6], got [5, 5]; it takes [target, source], ',
      ],
      [() => attention(q, k, k, { bias: tf.ones([3, 5, 6]) }), 'ShapeError', 'bias must spread over'],
      [() => attention(q, k, k, { bias: tf.ones([5, 1]) }), 'ShapeError', 'got [5, 1]; it takes'],
      [() => attention(q, k, k, { bias: tf.ones([6]) }), 'ShapeError', 'got [6]; it takes'],
      [() => attention(q, k, k, { bias: tf.cast(w, 'int32') }), 'DTypeError', 'bias must be float32, got int32'],
      [() => attention(q, undefined as never, k), 'DTypeError', 'scaledDotProductAttention: key must be a Tensor, got undefined'],
      [() => attention(q, k, k, { scale: Number.NaN }), 'OptionError', 'option scale must be a finite number, got NaN'],
      [
        () => attention(q, k, k, { dropout: { rate: 1, seed: 0 } }),
        'OptionError',
        'option dropout.rate must be at least 0 and less than 1, got 1',
      ],
      [() => attention(q, k, k, { dropout: { rate: 0.1 } as never }), 'OptionError', 'option dropout.seed is required'],
      [() => attention(q, k, k, { dropout: 0.1 as never }), 'OptionError', 'dropout: options must be a plain object, got 0.1'],
      [
        () => attention(q, k, k, { casual: true } as never),
        'OptionError',
        "scaledDotProductAttention: unknown option 'casual'; the options are causal, mask, bias, scale, dropout",
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

  if (backend.name === 'webgpu') {
    test('leaves to the composed form what its kernels cannot bind', () => {
      const shape = [64, 64, 8192, 64];
      const shapes = { query: shape, key: shape, value: shape };
      expect(implementationOf(scaledDotProductAttentionOperator, shapes)).toMatchObject({
        form: 'composed',
        reason: expect.stringMatching(/^the WebGPU kernels would bind \d+ bytes/),
      });
    });
  }

  test('says which form runs, and runs the form that is asked for', () => {
    const form = fusedBackends.includes(backend.name as 'wasm') ? 'fused' : 'composed';
    for (const operator of [scaledDotProductAttentionOperator, scaledDotProductAttentionBackwardOperator]) {
      expect(implementationOf(operator).form).toBe(form);
    }
    const call = () => attention(x(1, 1, 2, 1), x(1, 1, 3, 1), x(1, 1, 3, 2));
    expect(withImplementation('composed', call).shape).toEqual([1, 1, 2, 2]);
    if (form === 'fused') expect(withImplementation('fused', call).shape).toEqual([1, 1, 2, 2]);
    else expect(() => withImplementation('fused', call)).toThrow('scaledDotProductAttention: a fused kernel was asked for, but');
  });

  test('takes masks of every type, and no dropout at rate 0', async () => {
    const a = tf.randomNormal([2, 1, 4, 3]) as tf.Tensor4D;
    const mask = [1, 0, 1, 1, 0, 0, 1, 1];
    const outputs = (['bool', 'int32', 'float32'] as const).map((dtype) =>
      attention(a, a, a, { mask: tf.tensor(mask, [2, 1, 1, 4], dtype) }),
    );
    const [first, ...others] = await Promise.all(outputs.map((output) => output.data()));
    for (const other of others) expect(other).toEqual(first);
    const [plain, kept] = [attention(a, a, a), attention(a, a, a, { dropout: { rate: 0, seed: 3 } })];
    expect(await kept.data()).toEqual(await plain.data());
  });
});
