// Each row of docs/known-failures.md: the recipe fails on these numbers, and the operator gives what the definition says.
import { assertClose, describeBackends, hostileTolerance } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { aftConv1d } from '../aft-conv-1d/aft-conv-1d';
import { aftFull } from '../aft-full/aft-full';
import { aftLocal } from '../aft-local/aft-local';
import { aftSimple } from '../aft-simple/aft-simple';
import {
  currentTwice,
  definition,
  maximumOverTargets,
  type Pairs,
  type Sources,
  separateMaxima,
  sumAndDifference,
  windowAlone,
  withoutMaxima,
  withoutSumOverTime,
} from './test-recipes';

const everySource = () => true;
const noBias: Pairs = { bias: () => 0, sees: everySource };
const upToTarget = { bias: () => 0, sees: (t: number, s: number) => s <= t };

const channel = (values: readonly number[]) => tf.tensor3d([...values], [1, values.length, 1]);
const tableOf = (time: number, bias: Pairs['bias']) =>
  tf.tensor2d(
    Array.from({ length: time * time }, (_, i) => bias(Math.floor(i / time), i % time)),
    [time, time],
  );
const sourcesOf = (time: number, key: (t: number) => number): Sources => ({
  key: Array.from({ length: time }, (_, t) => Math.fround(key(t))),
  value: Array.from({ length: time }, (_, t) => Math.fround(Math.sin(1.7 * t + 0.4))),
});

/** How far a recipe is from the definition; Infinity where it is not even finite. */
function worst(recipe: readonly number[], exact: readonly number[]): number {
  return Math.max(...recipe.map((value, t) => (Number.isFinite(value) ? Math.abs(value - exact[t]!) : Number.POSITIVE_INFINITY)));
}

describeBackends('Where AFT code fails', () => {
  const bare = { queryActivation: null } as const;
  const holds = (actual: tf.Tensor, expected: readonly number[]) =>
    assertClose('output', actual, { shape: [1, expected.length, 1], data: expected }, { largest: hostileTolerance.forward });
  const full = ({ key, value }: Sources, bias: Pairs['bias'], causal = false) =>
    aftFull(channel(key), channel(key), channel(value), tableOf(key.length, bias), { ...bare, causal });

  test('large keys overflow without a maximum, and an epsilon does not help', async () => {
    const sources = sourcesOf(6, (t) => 90 + t);
    const exact = definition(sources, noBias);
    expect(worst(withoutMaxima(sources, noBias), exact)).toBe(Number.POSITIVE_INFINITY);
    expect(worst(withoutMaxima(sources, noBias, 1e-6), exact)).toBe(Number.POSITIVE_INFINITY);
    await holds(aftSimple(channel(sources.key), channel(sources.key), channel(sources.value), bare), exact);
  });

  test('an epsilon in the denominator bends what small keys give', async () => {
    const sources = sourcesOf(6, (t) => -14 - t);
    const exact = definition(sources, noBias);
    expect(worst(withoutMaxima(sources, noBias, 1e-6), exact)).toBeGreaterThan(0.1);
    await holds(aftSimple(channel(sources.key), channel(sources.key), channel(sources.value), bare), exact);
  });

  test('keys that rise over a causal sequence leave early targets 0/0 under one maximum', async () => {
    const sources = sourcesOf(64, (t) => 3 * t);
    const exact = definition(sources, upToTarget);
    expect(separateMaxima(sources, upToTarget).filter(Number.isNaN).length).toBeGreaterThan(10);
    await holds(aftSimple(channel(sources.key), channel(sources.key), channel(sources.value), { ...bare, causal: true }), exact);
    await holds(
      full(sources, () => 0, true),
      exact,
    );
  });

  test('keys against bias are 0/0 under separate maxima', async () => {
    const sources = sourcesOf(16, (t) => 10 * t);
    const pairs: Pairs = { bias: (_, s) => -10 * s, sees: everySource };
    const exact = definition(sources, pairs);
    expect(separateMaxima(sources, pairs).some(Number.isNaN)).toBe(true);
    await holds(full(sources, pairs.bias), exact);
  });

  test('a maximum of the bias over targets does not cancel', async () => {
    const sources = sourcesOf(5, (t) => 0.3 * t);
    const pairs: Pairs = { bias: (t, s) => Math.fround(Math.cos(3 * t + 5 * s)), sees: everySource };
    const exact = definition(sources, pairs);
    expect(worst(maximumOverTargets(sources, pairs), exact)).toBeGreaterThan(0.01);
    await holds(full(sources, pairs.bias), exact);
  });

  test('what dominates a window of strongly negative taps cancels in exp(w) - 1', async () => {
    const sources = sourcesOf(9, (t) => (t === 4 ? 12 : 0));
    const inside = (t: number, s: number) => Math.abs(t - s) <= 1;
    const pairs: Pairs = { bias: (t, s) => (inside(t, s) ? -17 : 0), sees: everySource };
    const exact = definition(sources, pairs);
    expect(worst(sumAndDifference(sources, pairs), exact)).toBeGreaterThan(1e-3);
    const [key, value] = [channel(sources.key), channel(sources.value)];
    await holds(aftConv1d(key, key, value, tf.tensor2d([[-17, -17, -17]]), bare), exact);
    await holds(aftLocal(key, key, value, tableOf(9, pairs.bias), { ...bare, windowSize: 2 }), exact);
  });

  test('outside the window the bias is 0, not minus infinity', async () => {
    const sources = sourcesOf(9, (t) => 0.2 * t);
    const inside = (t: number, s: number) => Math.abs(t - s) < 2;
    const bias = (t: number, s: number) => Math.fround(Math.sin(t + 2 * s));
    const pairs: Pairs = { bias: (t, s) => (inside(t, s) ? bias(t, s) : 0), sees: everySource };
    const exact = definition(sources, pairs);
    expect(worst(windowAlone(sources, pairs, inside), exact)).toBeGreaterThan(0.1);
    const [key, value] = [channel(sources.key), channel(sources.value)];
    await holds(aftLocal(key, key, value, tableOf(9, bias), { ...bare, windowSize: 2 }), exact);
  });

  test("|t - t'| < windowSize, not <=", async () => {
    const sources = sourcesOf(7, (t) => 0.2 * t);
    const bias = () => 2;
    const windowed = (within: Pairs['sees']): Pairs => ({
      bias: (t, s) => (within(t, s) ? 2 : 0),
      sees: everySource,
    });
    const exact = definition(
      sources,
      windowed((t, s) => Math.abs(t - s) < 2),
    );
    const wide = definition(
      sources,
      windowed((t, s) => Math.abs(t - s) <= 2),
    );
    const lopsided = definition(
      sources,
      windowed((t, s) => s - t >= -2 && s - t < 2),
    );
    expect(worst(wide, exact)).toBeGreaterThan(0.05);
    expect(worst(lopsided, exact)).toBeGreaterThan(0.05);
    const [key, value] = [channel(sources.key), channel(sources.value)];
    await holds(aftLocal(key, key, value, tableOf(7, bias), { ...bare, windowSize: 2 }), exact);
  });

  test('an even window keeps the length, its spare tap after the target', async () => {
    const sources = sourcesOf(6, (t) => 0.1 * t);
    const taps = [0.5, -1, 2, 1];
    const pairs: Pairs = { bias: (t, s) => taps[s - t + 1] ?? 0, sees: everySource };
    const mirrored: Pairs = { bias: (t, s) => taps[s - t + 2] ?? 0, sees: everySource };
    const exact = definition(sources, pairs);
    expect(worst(definition(sources, mirrored), exact)).toBeGreaterThan(0.05);
    const [key, value] = [channel(sources.key), channel(sources.value)];
    await holds(aftConv1d(key, key, value, tf.tensor2d([taps]), bare), exact);
  });

  test('a causal target counts its own source once', async () => {
    const sources = sourcesOf(6, (t) => 0.3 * t);
    const exact = definition(sources, upToTarget);
    expect(worst(currentTwice(sources), exact)).toBeGreaterThan(0.1);
    await holds(aftSimple(channel(sources.key), channel(sources.key), channel(sources.value), { ...bare, causal: true }), exact);
  });

  test('the weights are summed over time', async () => {
    const sources = sourcesOf(6, (t) => 0.3 * t);
    const exact = definition(sources, noBias);
    expect(worst(withoutSumOverTime(sources), exact)).toBeGreaterThan(0.1);
    await holds(aftSimple(channel(sources.key), channel(sources.key), channel(sources.value), bare), exact);
  });

  test('a row without any source gives 0, and no mask is no mask', async () => {
    const sources = sourcesOf(4, (t) => t);
    const hidden: Pairs = { bias: () => 0, sees: () => false };
    expect(withoutMaxima(sources, hidden).every(Number.isNaN)).toBe(true);
    const keyMask = tf.zeros([1, 4]);
    await holds(
      aftSimple(channel(sources.key), channel(sources.key), channel(sources.value), { ...bare, keyMask }),
      [0, 0, 0, 0],
    );
    const exact = definition(sources, noBias);
    const unmasked = { ...bare, keyMask: undefined };
    await holds(aftSimple(channel(sources.key), channel(sources.key), channel(sources.value), unmasked), exact);
  });
});
