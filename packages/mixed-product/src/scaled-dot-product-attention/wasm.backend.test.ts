import { describeForms, hostileTolerance, SeededRandom } from '@mixfold/testing';
import type * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { type AttentionSizes, agreesAttention, differentiateAttention, randomAttention } from './test-calls';

describeForms('scaledDotProductAttention over long sequences', { fused: ['wasm'], only: ['wasm'] }, (form) => {
  test.each<AttentionSizes>([
    { target: 12, source: 8192, headDim: 8 },
    { target: 8192, source: 12, headDim: 8 },
    { target: 70, source: 90, headDim: 300, valueDim: 140 },
  ])('keeps its promise at %j', async (sizes) => {
    const { cotangent, ...given } = randomAttention(new SeededRandom(2), sizes);
    await agreesAttention(form, given, cotangent);
  });

  if (form.form === 'composed') return;

  test('gives the same bits on every run', async () => {
    const random = new SeededRandom(4);
    const { cotangent, ...drawn } = randomAttention(random, { batch: 2, heads: 2, keyHeads: 1, target: 140, headDim: 20 });
    const given = { ...drawn, bias: random.normals([2, 140, 140]), mask: random.mask([140, 140]) };
    const options = { causal: true, dropout: { rate: 0.2, seed: 3 } };
    const [a, b] = [0, 1].map(() => differentiateAttention(form, given, cotangent, options) as Record<string, tf.Tensor>);
    for (const [name, tensor] of Object.entries(a!)) expect(await b![name]!.data()).toEqual(await tensor.data());
  });

  test.each([300, 1e4])('has right gradients where one source has all the weight, by scores of %i', async (spread) => {
    const random = new SeededRandom(5);
    const { cotangent, ...given } = randomAttention(random, { target: 90, headDim: 16 }, spread);
    for (const causal of [false, true]) await agreesAttention(form, given, cotangent, { causal }, hostileTolerance);
  });
});
