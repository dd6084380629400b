import { assertClose, describeForms, hostileTolerance, SeededRandom, type ShapedValues, type TestForm } from '@mixfold/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectBetweenValues } from '../test-laws';
import {
  type BiasKind,
  differentiateLocal,
  fusedBackends,
  type LocalArguments,
  type LocalOptions,
  randomArguments,
  referenceLocal,
  runLocal,
  tableOf,
} from './test-calls';

const call = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 2 }),
  time: fc.integer({ min: 1, max: 70 }),
  dim: fc.integer({ min: 1, max: 9 }),
  windowSize: fc.integer({ min: 0, max: 80 }),
  causal: fc.boolean(),
  kind: fc.constantFrom<BiasKind>('dense', 'factored'),
});

interface Drawn {
  readonly given: LocalArguments;
  readonly shape: [batch: number, time: number, dim: number];
  readonly options: LocalOptions;
  readonly random: SeededRandom;
}

const map = (values: ShapedValues, f: (x: number, i: number) => number): ShapedValues => ({
  shape: values.shape,
  data: Array.from(values.data, f).map(Math.fround),
});

/** Checks a law on random calls. */
async function holds(form: TestForm, law: (drawn: Drawn) => Promise<void>): Promise<void> {
  // WebGPU without a GPU is slow.
  const numRuns = form.name === 'webgpu' ? 2 : 5;
  const property = fc.asyncProperty(call, async ({ seed, batch, time, dim, windowSize, causal, kind }) => {
    const random = new SeededRandom(seed);
    const shape: [number, number, number] = [batch, time, dim];
    await law({
      given: randomArguments(random, shape, { kind, windowSize, spread: 2 }),
      shape,
      options: { causal, windowSize },
      random,
    });
  });
  await fc.assert(property, { numRuns, seed: 42, endOnFailure: true });
}

const values = (form: TestForm, given: LocalArguments, options: LocalOptions) => runLocal(form, given, options).data();

const scales = ['keys', 'biases', 'both', 'rising keys', 'one key inside and one outside the window'] as const;

/** Keys and biases with which a naive evaluation overflows or loses rows. */
function extremes(
  random: SeededRandom,
  scale: (typeof scales)[number],
  given: LocalArguments,
  [, time, dim]: Drawn['shape'],
  windowSize: number,
) {
  const large = () => random.uniform(-1e4, 1e4);
  const keys = (f: (t: number) => number) => map(given.key, (x, i) => x + f(Math.floor(i / dim) % time));
  const bias = { positionBias: map(given.bias.positionBias!, () => large()) };
  switch (scale) {
    case 'keys':
      return { ...given, key: keys(large) };
    case 'biases':
      return { ...given, bias };
    case 'both':
      return { ...given, key: keys(large), bias };
    case 'rising keys':
      return { ...given, key: keys((t) => 200 * t) };
    default: {
      // The largest key has the lowest bias, so that the largest key and the largest bias say nothing about the sum.
      const table = map(given.bias.positionBias!, (x, i) => (i % time === Math.min(1, time - 1) ? x - 300 : x));
      return {
        ...given,
        key: keys((t) => (t === 1 ? 300 : t === Math.min(time - 1, windowSize + 2) ? 150 : 0)),
        bias: { positionBias: table },
      };
    }
  }
}

describeForms('aftLocal', { fused: fusedBackends, composed: ['cpu', 'wasm'] }, (form) => {
  const close = form.name === 'webgpu' ? 4 : 5;

  test('a causal target does not see what comes later, to the bit', () =>
    holds(form, async ({ given, shape: [batch, time, dim], options, random }) => {
      const cut = random.integer(time);
      const isLater = (i: number) => Math.floor(i / dim) % time > cut;
      const change = (x: ShapedValues) => map(x, (value, i) => (isLater(i) ? value + 50 : value));
      const causal = { ...options, causal: true };
      const before = await values(form, given, causal);
      const after = await values(form, { ...given, key: change(given.key), value: change(given.value) }, causal);
      for (let i = 0; i < batch * time * dim; i++) if (!isLater(i)) expect(after[i]).toBe(before[i]);
    }));

  test('a constant added to every key of a channel changes nothing', () =>
    holds(form, async ({ given, shape: [, , dim], options }) => {
      const before = await values(form, given, options);
      const after = await values(form, { ...given, key: map(given.key, (key, i) => key + (i % dim)) }, options);
      for (const [i, x] of before.entries()) expect(after[i]).toBeCloseTo(x, close);
    }));

  test('a masked key is as good as no key', () =>
    holds(form, async ({ given, shape: [batch, time, dim], options, random }) => {
      const dropped = random.integer(time);
      const data = Array.from({ length: batch * time }, (_, i) => (i % time === dropped ? 0 : 1));
      const masked = await values(form, { ...given, keyMask: { shape: [batch, time], data } }, options);
      const none = (x: ShapedValues) => map(x, (value, i) => (Math.floor(i / dim) % time === dropped ? -1e9 : value));
      const removed = await values(form, { ...given, key: none(given.key) }, options);
      if (time === 1) return;
      for (const [i, x] of masked.entries()) {
        const isFirst = options.causal === true && dropped === 0 && Math.floor(i / dim) % time === 0;
        if (!isFirst) expect(removed[i]).toBeCloseTo(x, close);
      }
    }));

  test('without a gate an output lies between the values it mixes', () =>
    holds(form, async ({ given, options }) => {
      const output = await values(form, given, { ...options, queryActivation: null });
      expectBetweenValues(form, output, given.value, options.causal ?? false);
    }));

  test('per channel the key gradients sum to 0 and the value gradients to what the targets received', () =>
    holds(form, async ({ given, shape: [batch, time, dim], options, random }) => {
      const cotangent = random.normals([batch, time, dim]);
      const gradients = differentiateLocal(form, given, cotangent, { ...options, queryActivation: null });
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

  test('a table, its band and its factors are one', () =>
    holds(form, async ({ given, shape: [, time], options: { causal, windowSize } }) => {
      const near = { causal, windowSize: Math.max(1, windowSize) };
      const table = tableOf(given.bias, time, near.windowSize);
      const width = 2 * near.windowSize - 1;
      const band = Array.from({ length: time * width }, (_, n) => {
        const [t, j] = [Math.floor(n / width), (n % width) + Math.floor(n / width) - near.windowSize + 1];
        return j < 0 || j >= time ? 0 : table[t * time + j]!;
      });
      const kinds = [
        given.bias,
        { positionBias: { shape: [time, time], data: table } },
        { band: { shape: [time, width], data: band } },
      ];
      const [a, b, c] = await Promise.all(kinds.map((bias) => values(form, { ...given, bias }, near)));
      for (const [i, x] of a!.entries()) {
        expect(b![i]).toBeCloseTo(x, close);
        expect(c![i]).toBeCloseTo(x, close);
      }
    }));

  test.each(scales)('no row is lost and nothing overflows at extreme %s', (scale) =>
    holds(form, async ({ shape, options, random }) => {
      const plain = randomArguments(random, shape, { windowSize: options.windowSize });
      const given = extremes(random, scale, plain, shape, options.windowSize);
      const cotangent = random.normals(shape);
      const expected = referenceLocal(given, cotangent, options);
      const actual = differentiateLocal(form, given, cotangent, options);
      await assertClose('output', actual.output, expected.output, { largest: hostileTolerance.forward });
      for (const name of ['dQuery', 'dKey', 'dValue'] as const) {
        await assertClose(name, actual[name], expected[name], { largest: hostileTolerance.gradient });
      }
      await assertClose('dPositionBias', actual.dBias.positionBias!, expected.dBias.positionBias!, {
        largest: hostileTolerance.gradient,
      });
    }),
  );
});
