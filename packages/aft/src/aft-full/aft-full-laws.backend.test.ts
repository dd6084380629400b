import { describeForms, hostileTolerance, SeededRandom, type ShapedValues } from '@mixfold/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectBetweenValues } from '../test-laws';
import {
  agreesFull,
  differentiateFull,
  type FullArguments,
  type FullSizes,
  fusedBackends,
  randomFull,
  runFull,
} from './test-calls';

const call = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 2 }),
  time: fc.integer({ min: 1, max: 40 }),
  dim: fc.integer({ min: 1, max: 9 }),
  causal: fc.boolean(),
  factored: fc.boolean(),
});

interface Drawn extends FullArguments {
  readonly shape: FullSizes;
  readonly causal: boolean;
  readonly random: SeededRandom;
}

const map = (values: ShapedValues, f: (x: number, i: number) => number): ShapedValues => ({
  shape: values.shape,
  data: Array.from(values.data, f).map(Math.fround),
});

/** Checks a law on random calls. */
async function holds(law: (drawn: Drawn) => Promise<void>): Promise<void> {
  const property = fc.asyncProperty(call, async ({ seed, batch, time, dim, causal, factored }) => {
    const random = new SeededRandom(seed);
    const shape = [batch, time, time, dim] as const;
    await law({ ...randomFull(random, shape, { spread: 2, rank: factored ? 3 : 0 }), shape, causal, random });
  });
  await fc.assert(property, { numRuns: 6, seed: 42 });
}

const total = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);

describeForms('aftFull', { fused: fusedBackends, composed: ['cpu', 'wasm'] }, (form) => {
  const close = form.name === 'webgpu' ? 5 : 6;

  test.each([1, 30, 1e4])('a causal target does not see what comes later, to the bit, if that is %f larger', (spike) =>
    holds(async ({ shape: [batch, time, , dim], random, causal: _, ...given }) => {
      const cut = random.integer(time);
      const isLater = (i: number) => Math.floor(i / dim) % time > cut;
      const change = (x: ShapedValues) => map(x, (value, i) => (isLater(i) ? value + spike * (1 + (i % 3)) : value));
      const before = await runFull(form, given, { causal: true }).data();
      const changed = { ...given, key: change(given.key), value: change(given.value) };
      const after = await runFull(form, changed, { causal: true }).data();
      for (let i = 0; i < batch * time * dim; i++) if (!isLater(i)) expect(after[i]).toBe(before[i]);
    }),
  );

  test('a constant added to the keys of a channel, or to a row of the bias, changes nothing', () =>
    holds(async ({ causal, shape: [, time, , dim], random: _, ...given }) => {
      const before = await runFull(form, given, { causal }).data();
      const { positionBias } = given;
      const changed = {
        ...given,
        key: map(given.key, (key, i) => key + (i % dim)),
        ...(positionBias && { positionBias: map(positionBias, (w, i) => w - (Math.floor(i / time) % 5)) }),
      };
      const after = await runFull(form, changed, { causal }).data();
      for (const [i, x] of before.entries()) expect(after[i]).toBeCloseTo(x, close - 1);
    }));

  test('without a gate an output lies between the values it mixes', () =>
    holds(async ({ causal, shape: _shape, random: _random, ...given }) => {
      const output = await runFull(form, given, { causal, queryActivation: null }).data();
      expectBetweenValues(form, output, given.value, causal);
    }));

  test('key gradients sum to 0 per channel, bias gradients per row, value gradients to what the targets with a source received', () =>
    holds(async ({ causal, random, shape: [batch, time, , dim], ...given }) => {
      const keyMask = random.mask([batch, time], 0.7);
      const cotangent = random.normals([batch, time, dim]);
      const options = { causal, queryActivation: null };
      const gradients = differentiateFull(form, { ...given, keyMask }, cotangent, options);
      const [dKey, dValue] = [await gradients.dKey!.data(), await gradients.dValue!.data()];
      for (let b = 0; b < batch; b++) {
        const sees = (t: number) =>
          keyMask.data.slice(b * time, b * time + (causal ? t + 1 : time)).some((attended) => attended !== 0);
        for (let c = 0; c < dim; c++) {
          const of = (x: ArrayLike<number>) => Array.from({ length: time }, (_, t) => x[(b * time + t) * dim + c]!);
          expect(total(of(dKey))).toBeCloseTo(0, close - 2);
          expect(total(of(dValue))).toBeCloseTo(total(of(cotangent.data).filter((_, t) => sees(t))), close - 2);
        }
      }
      if (!gradients.dPositionBias) return;
      const dBias = await gradients.dPositionBias.data();
      for (let t = 0; t < time; t++) expect(total(dBias.slice(t * time, (t + 1) * time))).toBeCloseTo(0, close - 2);
    }));

  /** Keys `[1, time, 3]` and biases that the product with separate maxima cannot hold. */
  const hostile: Record<string, (t: number, c: number, random: SeededRandom) => number> = {
    'of +-1e4': (_t, _c, random) => random.uniform(-1e4, 1e4),
    'that rise': (t, c) => 3 * t * (c + 1),
    'that fall': (t, c) => -7 * t * (c + 1),
    'with one that dominates': (t, c, random) => (t === 20 + c ? 200 : random.normal()),
    'of deviation 40': (_t, _c, random) => random.normal(0, 40),
  };

  test.each(Object.keys(hostile))('right rows for keys %s', async (name) => {
    for (const causal of [false, true]) {
      for (const against of [false, true]) {
        const random = new SeededRandom(21);
        const [time, dim] = [47, 3];
        const given = randomFull(random, [1, time, time, dim]);
        const key = map(given.key, (_, i) => hostile[name]!(Math.floor(i / dim), i % dim, random));
        // Biases that are as large and turn the other way, or plain ones.
        const opposed = (w: number, i: number) => (against ? w - hostile[name]!(i % time, 0, random) : w);
        const positionBias = map(given.positionBias!, opposed);
        const cotangent = random.normals([1, time, dim]);
        await agreesFull(form, { ...given, key, positionBias }, cotangent, { causal }, hostileTolerance);
      }
    }
  });

  test('right rows for factors whose product is large', async () => {
    for (const causal of [false, true]) {
      const random = new SeededRandom(22);
      const given = randomFull(random, [1, 41, 41, 3], { rank: 1, spread: 1 });
      // Integers, so that the product is exact in float32.
      const [u, v] = [map(given.u!, (x) => Math.round(100 * x)), map(given.v!, (x) => Math.round(8 * x))];
      const bounds = { forward: hostileTolerance.forward, gradient: hostileTolerance.gradient };
      await agreesFull(form, { ...given, u, v }, random.normals([1, 41, 3]), { causal }, bounds);
    }
  });
});
