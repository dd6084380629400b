import { describeForms, SeededRandom, type ShapedValues, type TestForm } from '@mixfold/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectBetweenValues } from '../test-laws';
import { differentiateSimple, fusedBackends, randomArguments, runSimple, type SimpleArguments } from './test-calls';

const call = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 3 }),
  time: fc.integer({ min: 1, max: 40 }),
  dim: fc.integer({ min: 1, max: 9 }),
  causal: fc.boolean(),
});

interface Drawn extends SimpleArguments {
  readonly shape: [batch: number, time: number, dim: number];
  readonly causal: boolean;
  readonly random: SeededRandom;
}

const map = (values: ShapedValues, f: (x: number, i: number) => number): ShapedValues => ({
  shape: values.shape,
  data: Array.from(values.data, f).map(Math.fround),
});

/** Checks a law on random calls. */
async function holds(law: (drawn: Drawn) => Promise<void>): Promise<void> {
  const property = fc.asyncProperty(call, async ({ seed, batch, time, dim, causal }) => {
    const random = new SeededRandom(seed);
    await law({ ...randomArguments(random, [batch, time, dim], 2), shape: [batch, time, dim], causal, random });
  });
  await fc.assert(property, { numRuns: 8, seed: 42 });
}

const values = async (form: TestForm, given: SimpleArguments, options: { causal?: boolean; queryActivation?: null }) =>
  runSimple(form, given, options).data();

describeForms('aftSimple', { fused: fusedBackends, composed: ['cpu', 'wasm'] }, (form) => {
  const close = form.name === 'webgpu' ? 5 : 6;

  test('a causal target does not see what comes later, to the bit', () =>
    holds(async ({ shape: [batch, time, dim], random, ...given }) => {
      const cut = random.integer(time);
      const isLater = (i: number) => Math.floor(i / dim) % time > cut;
      const change = (x: ShapedValues) => map(x, (value, i) => (isLater(i) ? value + 50 : value));
      const before = await values(form, given, { causal: true });
      const after = await values(
        form,
        { query: given.query, key: change(given.key), value: change(given.value) },
        { causal: true },
      );
      for (let i = 0; i < batch * time * dim; i++) if (!isLater(i)) expect(after[i]).toBe(before[i]);
    }));

  test('a constant added to every key of a channel changes nothing', () =>
    holds(async ({ causal, shape: [, , dim], ...given }) => {
      const before = await values(form, given, { causal });
      const after = await values(form, { ...given, key: map(given.key, (key, i) => key + (i % dim)) }, { causal });
      for (const [i, x] of before.entries()) expect(after[i]).toBeCloseTo(x, close - 1);
    }));

  test('a masked key is as good as no key', () =>
    holds(async ({ causal, random, shape: [batch, time, dim], ...given }) => {
      const dropped = random.integer(time);
      const keyMask = {
        shape: [batch, time],
        data: Array.from({ length: batch * time }, (_, i) => (i % time === dropped ? 0 : 1)),
      };
      const keep = (x: ShapedValues): ShapedValues => ({
        shape: [batch, time - 1, dim],
        data: Array.from(x.data).filter((_, i) => Math.floor(i / dim) % time !== dropped),
      });
      if (time === 1) return;
      const masked = Array.from(await values(form, { ...given, keyMask }, { causal }));
      const shorter = await values(
        form,
        { query: keep(given.query), key: keep(given.key), value: keep(given.value) },
        { causal },
      );
      const kept = masked.filter((_, i) => Math.floor(i / dim) % time !== dropped);
      for (const [i, x] of kept.entries()) expect(shorter[i]).toBeCloseTo(x, close);
    }));

  test('without a gate an output lies between the values it mixes', () =>
    holds(async ({ causal, ...given }) => {
      const output = await values(form, given, { causal, queryActivation: null });
      expectBetweenValues(form, output, given.value, causal);
    }));

  test('per channel the key gradients sum to 0 and the value gradients to what the targets received', () =>
    holds(async ({ causal, random, shape: [batch, time, dim], ...given }) => {
      const cotangent = random.normals([batch, time, dim]);
      const gradients = differentiateSimple(form, given, cotangent, { causal, queryActivation: null });
      const [dKey, dValue] = [await gradients.dKey.data(), await gradients.dValue.data()];
      for (let b = 0; b < batch; b++) {
        for (let c = 0; c < dim; c++) {
          const sum = (x: ArrayLike<number>) =>
            Array.from({ length: time }, (_, t) => x[(b * time + t) * dim + c]!).reduce((p, q) => p + q, 0);
          expect(sum(dKey)).toBeCloseTo(0, close - 1);
          expect(sum(dValue)).toBeCloseTo(sum(cotangent.data), close - 1);
        }
      }
    }));
});
