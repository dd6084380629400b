import { implementationOf, withImplementation } from '@mixfold/tensor-ops';
import { assertClose, describeBackends, expectNoLeak, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type MssaOptions, mssa, mssaBackwardOperator, mssaOperator } from './mssa';
import { mssaAttention } from './mssa-attention';
import { fusedBackends, randomMssa, referenceMssa } from './test-calls';

const x = (...shape: [number, number, number]): tf.Tensor3D => tf.ones(shape);

describeBackends('mssa', (backend) => {
  test('refuses what does not fit, in words, and leaks nothing', async () => {
    const [tokens, subspaces] = [x(2, 5, 6), x(2, 6, 3)];
    const call = (options: unknown) => () => mssa(tokens, subspaces, options as MssaOptions);
    const refusals: [() => unknown, string, string][] = [
      [
        () => mssa(tokens, x(2, 7, 3)),
        'ShapeError',
        "mssa: axis 'dim' is 6 in tokens but 7 in subspaces\n  tokens     [batch tokens dim]   [2, 5, 6]",
      ],
      [call({ output: x(2, 6, 3) }), 'ShapeError', "mssa: axis 'headDim' is 3 in subspaces but 6 in output"],
      [call({ output: x(3, 3, 6) }), 'ShapeError', "mssa: axis 'heads' is 2 in subspaces but 3 in output"],
      [() => mssa(tf.ones([5, 6]) as never, subspaces), 'ShapeError', 'tokens must have 3 axes [batch tokens dim], got 2'],
      [() => mssa(tokens, tf.ones([6, 6]) as never), 'ShapeError', 'subspaces must have 3 axes [heads dim headDim], got 2'],
      [call({ keyMask: tf.ones([2, 4]) }), 'ShapeError', "axis 'tokens' is 5 in tokens but 4 in keyMask"],
      [call({ queryKeyGain: tf.ones([6]) }), 'ShapeError', "axis 'headDim' is 3 in subspaces but 6 in queryKeyGain"],
      [() => mssa(tf.cast(tokens, 'int32'), subspaces), 'DTypeError', 'mssa: tokens must be float32, got int32'],
      [() => mssa(tokens, undefined as never), 'DTypeError', 'mssa: subspaces must be a Tensor, got undefined'],
      [call({ output: 'tied' }), 'OptionError', "mssa: option output must be a Tensor, got 'tied'"],
      [call({ scale: Number.NaN }), 'OptionError', 'mssa: option scale must be a finite number, got NaN'],
      [call({ causal: 1 }), 'OptionError', 'mssa: option causal must be true or false, got 1'],
      [
        call({ casual: true }),
        'OptionError',
        "mssa: unknown option 'casual'; the options are output, causal, keyMask, scale, maskSelf, phi, queryKeyGain",
      ],
      [
        call({ phi: 'sigmoid' }),
        'OptionError',
        "mssa: option phi must be 'softmax', 'relu' or {threshold, straightThrough?}, got 'sigmoid'",
      ],
      [call({ phi: { tau: 0.9 } }), 'OptionError', "mssa phi: unknown option 'tau'; the options are threshold, straightThrough"],
      [call({ phi: {} }), 'OptionError', 'mssa: option phi.threshold is required'],
      [call({ phi: { threshold: 0 } }), 'OptionError', 'mssa phi: option threshold must be a finite number above 0, got 0'],
      [call({ phi: { threshold: 1 } }), 'OptionError', 'option phi.threshold must be below 1'],
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
    for (const operator of [mssaOperator, mssaBackwardOperator]) expect(implementationOf(operator).form).toBe(form);
    const call = (phi?: 'relu') => () => mssa(x(1, 2, 3), x(1, 3, 2), { phi });
    expect(withImplementation('composed', call()).shape).toEqual([1, 2, 3]);
    if (form === 'fused') expect(withImplementation('fused', call()).shape).toEqual([1, 2, 3]);
    if (form === 'fused') expect(() => withImplementation('fused', call('relu'))).toThrow('know softmax alone, not phi relu');
    else expect(() => withImplementation('fused', call())).toThrow('mssa: a fused kernel was asked for, but');
  });

  if (backend.name === 'webgpu') return;

  test('takes masks of every type', async () => {
    const tokens = tf.randomNormal([2, 4, 3]) as tf.Tensor3D;
    const outputs = (['bool', 'int32', 'float32'] as const).map((dtype) =>
      mssa(tokens, x(2, 3, 2), { keyMask: tf.tensor([1, 0, 1, 1, 0, 0, 1, 1], [2, 4], dtype) }),
    );
    const [first, ...others] = await Promise.all(outputs.map((output) => output.data()));
    for (const other of others) expect(other).toEqual(first);
  });

  test.each<MssaOptions>([{}, { causal: true, maskSelf: true }, { phi: 'relu', scale: 0.2 }, { phi: { threshold: 0.4 } }])(
    'shows the maps of %j',
    async (options) => {
      const random = new SeededRandom(9);
      const given = randomMssa(random, { batch: 2, tokens: 9, dim: 5, heads: 3, headDim: 4 });
      const keyMask = random.mask([2, 9], 0.7);
      const expected = referenceMssa({ ...given, keyMask }, undefined, options as object).maps;
      const [tokens, subspaces] = [tensorOf<tf.Tensor3D>(given.tokens), tensorOf<tf.Tensor3D>(given.subspaces)];
      const maps = mssaAttention(tokens, subspaces, { ...options, keyMask: tensorOf(keyMask) });
      expect(maps.shape).toEqual([2, 3, 9, 9]);
      await assertClose('maps', maps, expected, { relative: backend.tolerance.forward });
    },
  );
});
