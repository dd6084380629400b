import { implementationOf, withImplementation } from '@mixfold/tensor-ops';
import { describeBackends, SeededRandom, type TestForm } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftConv1dOperator } from '../aft-conv-1d/aft-conv-1d';
import { type Conv1dShape, differentiateConv1d, randomArguments, results, runConv1d } from '../aft-conv-1d/test-calls';

/** The names of the programs that run while `fn` does, from tfjs's profile. */
async function programs(fn: () => tf.TensorContainer): Promise<string[]> {
  const { kernels } = await tf.profile(() => tf.tidy(() => void fn()));
  const infos = await Promise.all(kernels.map(({ extraInfo }) => extraInfo as unknown as Promise<string>));
  return infos.flatMap((info) => info.split(', ')).flatMap((entry) => entry.match(/^AftConv\w*/) ?? []);
}

const body = (backend: Parameters<Parameters<typeof describeBackends>[1]>[0]) => {
  const form: TestForm = { ...backend, form: 'fused', isSlow: false, run: (fn) => withImplementation('fused', fn) };
  const random = new SeededRandom(1);

  test.each([
    [2, true],
    [4, false],
  ])('take two dispatches forward, and three or four backward, with %i heads, causal %s', async (heads, causal) => {
    const shape: Conv1dShape = [1, 40, 4, heads, 3];
    const given = { ...randomArguments(random, shape), keyMask: random.mask([1, 40]) };
    const cotangent = random.normals([1, 40, 4]);
    const forward = ['AftConvSums', 'AftConv'];
    const backward = ['AftConvBackwardQuery', 'AftConvBackwardSources', 'AftConvBackwardKernel'];
    if (heads < 4) backward.push('AftConvBackwardKeys');
    expect(await programs(() => runConv1d(form, given, { causal }))).toEqual(forward);
    expect(await programs(() => differentiateConv1d(form, given, cotangent, { causal }))).toEqual([...forward, ...backward]);
  });

  test('leave to the composed form what they cannot bind or dispatch', () => {
    const at = (batch: number, time: number, dim: number, heads: number, window: number) =>
      implementationOf(aftConv1dOperator, {
        query: [batch, time, dim],
        key: [batch, time, heads],
        value: [batch, time, dim],
        kernel: [heads, window],
      });
    expect(at(8, 64, 128, 16, 31)).toMatchObject({ form: 'fused' });
    expect(at(70_000, 1, 64, 1, 3)).toMatchObject({
      form: 'composed',
      reason: expect.stringMatching(/^batch times dim is 4480000/),
    });
    expect(at(1, 4, 1, 1, 70_000)).toMatchObject({
      form: 'composed',
      reason: expect.stringMatching(/^the window has 70000 taps/),
    });
    expect(at(1, 2 ** 28, 4, 1, 3)).toMatchObject({ form: 'composed', reason: expect.stringMatching(/would bind \d+ bytes/) });
  });

  test('give the same bits on every run', async () => {
    const given = randomArguments(random, [2, 150, 6, 3, 5], 3);
    const cotangent = random.normals([2, 150, 6]);
    const [a, b] = [0, 1].map(() => differentiateConv1d(form, given, cotangent));
    for (const name of results) expect(await a![name].data()).toEqual(await b![name].data());
  });
};

describeBackends('the WebGPU kernels of AFT-conv', body, { only: ['webgpu'] });
