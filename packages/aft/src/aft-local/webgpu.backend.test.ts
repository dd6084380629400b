import { implementationOf } from '@mixfold/tensor-ops';
import { describeForms, SeededRandom } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftLocalBandedOperator } from './aft-local';
import { aftLocalState, aftLocalStep } from './streaming';
import { biasOf, differentiateLocal, fusedBackends, randomArguments, runLocal } from './test-calls';

/** The names of the programs that run while `fn` does, from tfjs's profile. */
async function programs(fn: () => tf.TensorContainer): Promise<string[]> {
  const { kernels } = await tf.profile(() => tf.tidy(() => void fn()));
  const infos = await Promise.all(kernels.map(({ extraInfo }) => extraInfo as unknown as Promise<string>));
  return infos.flatMap((info) => info.split(', ')).flatMap((entry) => entry.match(/^AftLocal(\w*)/)?.[1] ?? []);
}

describeForms('the WebGPU kernels of aftLocal', { fused: fusedBackends, only: ['webgpu'] }, (form) => {
  const random = new SeededRandom(1);

  test('give the same bits on every run', async () => {
    // The composed form dispatches anew for every pair in the window.
    const tokens = [2, form.form === 'composed' ? 24 : 200, 5] as const;
    const given = randomArguments(random, tokens, { kind: 'factored', windowSize: 9, spread: 3 });
    const cotangent = random.normals(tokens);
    const [a, b] = [0, 1].map(() => differentiateLocal(form, given, cotangent, { windowSize: 9 }));
    for (const name of ['output', 'dQuery', 'dKey', 'dValue'] as const) {
      expect(await a![name].data()).toEqual(await b![name].data());
    }
  });

  if (form.form === 'composed') return;
  const shape = [1, 300, 2] as const;
  const backward = ['BackwardTargets', 'BackwardSources', 'BackwardBias'];

  test.each([
    ['banded', false, [], []],
    ['dense', true, [], []],
    ['factored', false, ['Band'], ['BackwardFactors']],
  ] as const)('take few dispatches: %s, causal %s', async (kind, causal, before, after) => {
    const given = randomArguments(random, shape, { kind, windowSize: 4 });
    const options = { causal, windowSize: 4 };
    const forward = [...before, 'Sums', 'Mix'];
    expect(await programs(() => runLocal(form, given, options))).toEqual(forward);
    const both = [...forward, ...before, ...backward, ...after];
    expect(await programs(() => Object.values(differentiateLocal(form, given, random.normals(shape), options)).length)).toEqual(
      both,
    );
  });

  test('gate apart where mask and what is saved bind too much together, and keep to three dispatches', async () => {
    const given = { ...randomArguments(random, shape, { kind: 'banded', windowSize: 4 }), keyMask: random.mask([1, 300]) };
    const options = { causal: true, windowSize: 4 };
    expect(await programs(() => runLocal(form, given, options))).toEqual(['Sums', 'Mix']);
    const all = await programs(() => Object.values(differentiateLocal(form, given, random.normals(shape), options)).length);
    expect(all).toEqual(['Sums', 'Mix', 'Gate', ...backward]);
  });

  test('take one more for a state', async () => {
    const state = aftLocalState({ batch: 1, dim: 2, windowSize: 4 });
    const token = tf.ones<tf.Rank.R2>([1, 2]);
    const bias = biasOf({ band: tf.ones([3, 7]) });
    const ran = await programs(() => form.run(() => aftLocalStep(token, token, token, bias, state)).output);
    expect(ran).toEqual(['Sums', 'Mix', 'State']);
  });

  test('leave to the composed form what their programs cannot bind or dispatch', () => {
    const at = (...tokens: number[]) => implementationOf(aftLocalBandedOperator, { query: tokens, key: tokens, value: tokens });
    expect(at(8, 64, 128)).toMatchObject({ form: 'fused' });
    expect(at(70_000, 1, 64)).toMatchObject({ form: 'composed', reason: expect.stringMatching(/^batch times dim is 4480000/) });
    expect(at(1, 2 ** 19, 4096)).toMatchObject({ form: 'composed', reason: expect.stringMatching(/^the largest buffer is \d+/) });
  });
});
