import type { Array64 } from '@mixfold/tensor-ops';
import { conformanceCases, describeBackends, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { denoisingStep } from '../theory/denoising-layer';
import { runDenoising, sampleMixture } from '../theory/index';
import {
  attentionEntropy,
  codingRate,
  codingRateGiven,
  coherence,
  effectiveRank,
  orthonormalityDefect,
  rateReduction,
  selfWeight,
  sigmaMax,
  signalToNoise,
  sparsity,
  tiedness,
} from './index';

const [rates, given] = await Promise.all([conformanceCases('codingRate'), conformanceCases('codingRateGiven')]);

type RateAttributes = { epsilonSquared: number; normalize: 'token' | 'none' };
const identity = (...diagonal: number[]) => ({
  shape: [diagonal.length, diagonal.length],
  data: Float64Array.from({ length: diagonal.length ** 2 }, (_, i) => {
    const [row, column] = [Math.floor(i / diagonal.length), i % diagonal.length];
    return row === column ? diagonal[row]! : 0;
  }),
});
const heads = (...columns: number[][][]) => {
  const [dim, headDim] = [columns[0]![0]!.length, columns[0]!.length];
  const data = columns.flatMap((head) =>
    Array.from({ length: dim * headDim }, (_, i) => head[i % headDim]![Math.floor(i / headDim)]!),
  );
  return { shape: [columns.length, dim, headDim], data: Float64Array.from(data) };
};

describeBackends('measures', () => {
  test.each(rates.map((vector) => [vector.name, vector] as const))('conformance codingRate > %s', async (_, vector) => {
    const rate = await codingRate(tensorOf(vector.inputs.tokens!) as tf.Tensor2D, vector.attrs as unknown as RateAttributes);
    expect(Math.abs(rate / vector.output.data[0]! - 1)).toBeLessThan(1e-6);
  });

  test.each(given.map((vector) => [vector.name, vector] as const))('conformance codingRateGiven > %s', async (_, vector) => {
    const { tokens, subspaces } = vector.inputs;
    const options = vector.attrs as unknown as RateAttributes;
    const rate = await codingRateGiven(tensorOf(tokens!) as tf.Tensor2D, tensorOf(subspaces!), options);
    expect(Math.abs(rate / vector.output.data[0]! - 1)).toBeLessThan(1e-6);
  });

  test('read tensors of a batch, and leave them alone', async () => {
    const random = new SeededRandom(3);
    const batch = tensorOf<tf.Tensor3D>(random.normals([3, 5, 4]));
    const subspaces = tensorOf(random.normals([2, 4, 2]));
    const options = { epsilonSquared: 0.5 };
    const before = tf.memory().numTensors;
    const whole = await rateReduction(batch, subspaces, options);
    expect(tf.memory().numTensors).toBe(before);
    for (const [i, sample] of tf.unstack(batch).entries()) {
      expect(await rateReduction(sample as tf.Tensor2D, subspaces, options)).toBe(whole[i]);
      expect(await effectiveRank(sample)).toBe(((await effectiveRank(batch)) as number[])[i]);
    }
    expect(await codingRateGiven(batch, subspaces, options)).toHaveLength(3);
  });
});

describe('rates', () => {
  test('through either Gram matrix are one', async () => {
    const random = new SeededRandom(4);
    const { shape, data } = random.normals([9, 4]);
    const wide = { shape: [4, 9], data: Float64Array.from({ length: 36 }, (_, i) => data[(i % 9) * 4 + Math.floor(i / 9)]!) };
    // d / N differs: 4/9 there, 9/4 here.
    const tall = await codingRate({ shape, data: Float64Array.from(data) }, { epsilonSquared: 4 / 9, normalize: 'none' });
    expect(await codingRate(wide, { epsilonSquared: 9 / 4, normalize: 'none' })).toBeCloseTo(tall as number, 10);
  });

  test('of orthogonal tokens are known', async () => {
    // Two tokens of norm 3 and 4: 1/2 log((1 + 9 a) (1 + 16 a)), a = d / (N e) = 1.
    const rate = await codingRate(identity(3, 4), { epsilonSquared: 1, normalize: 'none' });
    expect(rate).toBeCloseTo(Math.log(10 * 17) / 2, 12);
    expect(await codingRate(identity(3, 4), { epsilonSquared: 1 })).toBeCloseTo(Math.log(4) / 2, 12);
    expect(await codingRate(identity(0, 0), { epsilonSquared: 1 })).toBe(0);
  });

  test('of tokens as they are rise while layers denoise, those of normalised tokens fall: the warning of the documentation', async () => {
    const options = { tokens: 256, dim: 256, headDim: 64, heads: 4, noise: 0.05 };
    const { mixture, exact } = runDenoising({ ...options, layers: 0 });
    expect(exact).toEqual([]);
    const { subspaces } = mixture;
    const call = { count: 256, dim: 256, heads: 4, headDim: 64, operator: 'theorem', tau: 0.9, causal: false } as const;
    const after = mixture.tokens.data.slice();
    for (let layer = 0; layer < 4; layer++) {
      const step = denoisingStep(after, subspaces.data, call);
      for (let i = 0; i < after.length; i++) after[i]! += 0.1 * step[i]!;
    }
    const denoised = { shape: mixture.tokens.shape, data: after };
    const given = (tokens: Array64, normalize: 'token' | 'none') =>
      codingRateGiven(tokens, subspaces, { epsilonSquared: 0.25, normalize });
    const snr = async (tokens: Array64) => (await signalToNoise(tokens, subspaces, { labels: mixture.labels })).overall;
    expect(await snr(denoised)).toBeGreaterThan(1.4 * (await snr(mixture.tokens)));
    expect(await given(denoised, 'none')).toBeGreaterThan((await given(mixture.tokens, 'none')) as number);
    expect(await given(denoised, 'token')).toBeLessThan((await given(mixture.tokens, 'token')) as number);
    const reduction = (tokens: Array64) => rateReduction(tokens, subspaces, { epsilonSquared: 0.25 });
    expect(await reduction(denoised)).toBeGreaterThan((await reduction(mixture.tokens)) as number);
  });

  test('refuse what they cannot measure', async () => {
    const tokens = identity(1, 2);
    await expect(codingRate(tokens, {} as never)).rejects.toThrow('codingRate: option epsilonSquared is missing');
    await expect(codingRate(tokens, { epsilonSquared: 0 })).rejects.toThrow(
      'epsilonSquared must be a finite number above 0, got 0',
    );
    await expect(codingRate(tokens, { epsilonSquared: 1, normalize: 'row' as never })).rejects.toThrow(
      "'token', 'none', got 'row'",
    );
    await expect(codingRate({ shape: [4], data: tokens.data }, { epsilonSquared: 1 })).rejects.toThrow(
      'codingRate: tokens must be [tokens dim] or [batch tokens dim], got shape [4]',
    );
    await expect(codingRateGiven(tokens, heads([[1, 0, 0]]), { epsilonSquared: 1 })).rejects.toThrow(
      "codingRateGiven: axis 'dim' is 2 in tokens but 3 in subspaces",
    );
    await expect(codingRate(identity(Number.NaN, 1), { epsilonSquared: 1 })).rejects.toThrow(
      'codingRate: tokens must hold finite numbers, got NaN at place 0',
    );
    await expect(codingRate('tokens' as never, { epsilonSquared: 1 })).rejects.toThrow('codingRate: tokens must be a Tensor');
    await expect(codingRate({ shape: [2, 3], data: tokens.data }, { epsilonSquared: 1 })).rejects.toThrow(
      'codingRate: tokens has shape [2, 3] but 4 numbers',
    );
  });
});

describe('signalToNoise', () => {
  const subspaces = heads([[1, 0, 0]], [[0, 2, 0]]);
  const tokens = { shape: [3, 3], data: Float64Array.from([3, 0, 4, 1, 2, 2, 5, 1, 0]) };

  test('is the norm inside over the norm outside, whatever the length of the columns', async () => {
    const { ratios, overall, isProxy } = await signalToNoise(tokens, subspaces, { labels: [0, 1, 0] });
    expect(ratios[0]).toBeCloseTo(Math.sqrt((9 + 25) / (16 + 1)), 12);
    expect(ratios[1]).toBeCloseTo(Math.sqrt(4 / 5), 12);
    expect(overall).toBeCloseTo(Math.sqrt((9 + 25 + 4) / (16 + 1 + 5)), 12);
    expect(isProxy).toBe(false);
  });

  test('without labels is a proxy that puts every token where its energy is', async () => {
    const mixture = sampleMixture({ tokens: 60, dim: 30, headDim: 5, heads: 3, noise: 0.2, seed: 4 });
    const proxy = await signalToNoise(mixture.tokens, mixture.subspaces);
    expect(proxy.isProxy).toBe(true);
    const wrong = [...proxy.labels].filter((label, t) => label !== mixture.labels[t]).length;
    expect(wrong).toBeLessThan(3);
    const random = new SeededRandom(5).normals([3, 30, 5]);
    const control = await signalToNoise(mixture.tokens, { shape: [3, 30, 5], data: Float64Array.from(random.data) });
    expect(control.overall).toBeLessThan(0.5 * proxy.overall);
  });

  test('a cluster without tokens has no ratio; one without noise an infinite one', async () => {
    const { ratios } = await signalToNoise({ shape: [1, 3], data: Float64Array.from([2, 0, 0]) }, subspaces, { labels: [0] });
    expect(ratios).toEqual([Number.POSITIVE_INFINITY, Number.NaN]);
  });

  test('refuses labels that do not fit', async () => {
    await expect(signalToNoise(tokens, subspaces, { labels: [0, 1] })).rejects.toThrow(
      'signalToNoise: option labels must have one entry per token, 3, got 2',
    );
    await expect(signalToNoise(tokens, subspaces, { labels: [0, 1, 2] })).rejects.toThrow(
      'signalToNoise: option labels must hold subspaces, 0 to 1, got 2 at token 2',
    );
  });
});

describe('subspaces', () => {
  test('coherence is the largest cosine between spans', async () => {
    const angle = 0.3;
    const subspaces = heads([[1, 0, 0]], [[0, 5, 0]], [[2 * Math.cos(angle), 0, 2 * Math.sin(angle)]]);
    const found = await coherence(subspaces);
    expect(found[0]![1]).toBeCloseTo(0, 12);
    expect(found[0]![2]).toBeCloseTo(Math.cos(angle), 12);
    expect(found[2]![2]).toBeCloseTo(1, 12);
    // A column that repeats another adds nothing to a span.
    const deficient = heads(
      [
        [1, 0, 0],
        [2, 0, 0],
      ],
      [
        [0, 1, 0],
        [0, 0, 1],
      ],
    );
    expect((await coherence(deficient))[0]![1]).toBeCloseTo(0, 12);
  });

  test('defect and largest singular value tell a projector from an amplifier', async () => {
    const subspaces = heads(
      [
        [1, 0],
        [0, 1],
      ],
      [
        [2, 0],
        [0, 1],
      ],
    );
    expect(await orthonormalityDefect(subspaces)).toEqual([0, 3 / Math.sqrt(2)]);
    expect((await sigmaMax(subspaces)).map((value) => Number(value.toFixed(12)))).toEqual([1, 2]);
  });

  test('tiedness is 1 and all angles 0 for a tied output, up to a factor', async () => {
    const subspaces = heads(
      [
        [1, 0, 0],
        [0, 1, 0],
      ],
      [
        [0, 1, 0],
        [0, 0, 1],
      ],
    );
    const output = { shape: [2, 2, 3], data: Float64Array.from([3, 0, 0, 0, 3, 0, 1, 0, 0, 0, 1, 0]) };
    const { cosine, principalAngles } = await tiedness(subspaces, output);
    expect(cosine.map((value) => Number(value.toFixed(12)))).toEqual([1, 0]);
    for (const angle of principalAngles[0]!) expect(angle).toBeCloseTo(0, 6);
    expect(principalAngles[1]![0]).toBeCloseTo(0, 6);
    expect(principalAngles[1]![1]).toBeCloseTo(Math.PI / 2, 6);
    await expect(tiedness(subspaces, subspaces)).rejects.toThrow('tiedness: output must be [heads headDim dim]');
  });
});

describe('maps and tokens', () => {
  test('entropy and self-weight, by head, without the rows that attend to nothing', async () => {
    const maps = tf.tensor4d([1, 0, 0, 1, 0.5, 0.5, 0, 0], [1, 2, 2, 2]);
    expect(await attentionEntropy(maps)).toEqual([0, expect.closeTo(Math.log(2), 6)]);
    expect(await selfWeight(maps)).toEqual([1, 0.5]);
    await expect(selfWeight(tf.ones([1, 1, 2, 3]))).rejects.toThrow('selfWeight: maps must be square, got shape [1, 1, 2, 3]');
    maps.dispose();
  });

  test('effective rank counts directions', async () => {
    expect(await effectiveRank(identity(1, 1, 1))).toBeCloseTo(3, 10);
    expect(await effectiveRank(identity(1, 0, 0))).toBeCloseTo(1, 10);
    expect(await effectiveRank(identity(0, 0))).toBe(0);
  });

  test('sparsity is the share of zeros', async () => {
    expect(await sparsity(identity(1, 1))).toBe(0.5);
    expect(await sparsity({ shape: [4], data: Float64Array.from([0, 1, 0, 0]) })).toBe(0.75);
  });
});
