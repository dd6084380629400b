import { describeForms, hostileTolerance, SeededRandom } from '@mixfold/testing';
import type * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { agreesMssa, differentiateMssa, type MssaSizes, randomMssa } from './test-calls';

describeForms('mssa on WASM', { fused: ['wasm'], only: ['wasm'] }, (form) => {
  const sizes: MssaSizes[] = [
    { tokens: 600, dim: 4, headDim: 3 },
    { tokens: 18, dim: 300, heads: 1, headDim: 260 },
    { tokens: 6, dim: 530, heads: 65, headDim: 8 },
  ];
  test.each(form.form === 'fused' ? sizes : sizes.slice(0, 1))('keeps its promise at %j', async (sizes) => {
    const { cotangent, ...given } = randomMssa(new SeededRandom(2), sizes, { untied: sizes.heads === 65 });
    for (const causal of [false, true]) await agreesMssa(form, given, cotangent, { causal });
  });

  if (form.form === 'composed') return;

  test('gives the same bits on every run', async () => {
    const random = new SeededRandom(4);
    const { cotangent, ...drawn } = randomMssa(random, { batch: 2, tokens: 140, dim: 30, heads: 2, headDim: 20 });
    const given = { ...drawn, keyMask: random.mask([2, 140]) };
    for (const causal of [false, true]) {
      const [a, b] = [0, 1].map(() => differentiateMssa(form, given, cotangent, { causal }) as Record<string, tf.Tensor>);
      for (const [name, tensor] of Object.entries(a!)) expect(await b![name]!.data()).toEqual(await tensor.data());
    }
  });

  // With a gain g all norms are equal, and the largest score is that of a token with itself, 4 g^2: measured by 0, by a number near that, or by the largest score.
  test.each([1, 1.7, 3.7, 6])('has right gradients however scores are measured, gain %f', async (gain) => {
    const random = new SeededRandom(5);
    const { cotangent, ...drawn } = randomMssa(random, { batch: 2, tokens: 69, dim: 10, headDim: 16 });
    const queryKeyGain = { shape: [16], data: new Array(16).fill(gain) };
    for (const masked of [false, true]) {
      const given = { ...drawn, queryKeyGain, keyMask: masked ? random.mask([2, 69], 0.7) : undefined };
      for (const options of [{}, { causal: true }, { maskSelf: true }, { scale: -0.25 }]) {
        await agreesMssa(form, given, cotangent, options, gain === 1 ? undefined : hostileTolerance);
      }
    }
  });

  test.each([4, 20, 300])('has right gradients where norms differ, tokens of deviation %i', async (deviation) => {
    const random = new SeededRandom(6);
    const { cotangent, ...drawn } = randomMssa(random, { tokens: 150, dim: 12, heads: 2, headDim: 8 });
    const tokens = random.normals([1, 150, 12], deviation);
    // Some tokens are 0, as padding is.
    (tokens.data as Float64Array).fill(0, 0, 5 * 12);
    for (const causal of [false, true]) {
      await agreesMssa(form, { ...drawn, tokens }, cotangent, { causal }, hostileTolerance);
    }
  });
});
