import { assertClose, describeForms, hostileTolerance, SeededRandom, type ShapedValues, type TestForm } from '@mixfold/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aftSimpleReference } from '../aft-simple/reference';
import { expectBetweenValues } from '../test-laws';
import {
  type Conv1dArguments,
  differentiateConv1d,
  fusedBackends,
  randomArguments,
  referenceConv1d,
  results,
  runConv1d,
} from './test-calls';

const call = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 2 }),
  time: fc.integer({ min: 1, max: 30 }),
  heads: fc.integer({ min: 1, max: 5 }),
  headDim: fc.integer({ min: 1, max: 4 }),
  window: fc.integer({ min: 1, max: 9 }),
  causal: fc.boolean(),
});

interface Drawn {
  readonly given: Conv1dArguments;
  readonly batch: number;
  readonly time: number;
  readonly dim: number;
  readonly heads: number;
  readonly causal: boolean;
  readonly random: SeededRandom;
}

const map = (values: ShapedValues, f: (x: number, i: number) => number): ShapedValues => ({
  shape: values.shape,
  data: Array.from(values.data, f).map(Math.fround),
});

/** Checks a law on random calls; each compiles programs of its own on WebGPU. */
async function holds({ name }: TestForm, law: (drawn: Drawn) => Promise<void>): Promise<void> {
  const property = fc.asyncProperty(call, async ({ seed, batch, time, heads, headDim, window, causal }) => {
    const random = new SeededRandom(seed);
    const dim = heads * headDim;
    await law({ given: randomArguments(random, [batch, time, dim, heads, window]), batch, time, dim, heads, causal, random });
  });
  await fc.assert(property, { numRuns: name === 'webgpu' ? 2 : 6, seed: 42 });
}

const values = async (form: TestForm, given: Conv1dArguments, options: { causal?: boolean; queryActivation?: null }) =>
  runConv1d(form, given, options).data();

/** Keys and kernels that overflow what is summed without care. */
const extremes: Record<string, (random: SeededRandom, drawn: Drawn) => Partial<Conv1dArguments>> = {
  'keys to 1e4': (random, { given }) => ({ key: random.uniforms(given.key.shape, -1e4, 1e4) }),
  'keys and kernel to 1e4': (random, { given }) => ({
    key: random.uniforms(given.key.shape, -1e4, 1e4),
    kernel: random.uniforms(given.kernel.shape, -1e4, 1e4),
  }),
  'a kernel from -40 to 20': (random, { given }) => ({ kernel: random.uniforms(given.kernel.shape, -40, 20) }),
  'a kernel of -40 and one dominant key': (random, { given, time, heads }) => {
    const dominant = random.integer(time);
    return {
      key: map(given.key, (key, i) => (Math.floor(i / heads) % time === dominant ? 30 : key)),
      kernel: map(given.kernel, () => -40),
    };
  },
  'a kernel of 300 and rising keys': (_, { given, time, heads }) => ({
    key: map(given.key, (key, i) => key + 40 * (Math.floor(i / heads) % time)),
    kernel: map(given.kernel, (bias, i) => (i % 2 === 0 ? 300 : bias)),
  }),
  'rising keys': (_, { given, time, heads }) => ({
    key: map(given.key, (key, i) => key + 40 * (Math.floor(i / heads) % time)),
  }),
  'falling keys': (_, { given, time, heads }) => ({
    key: map(given.key, (key, i) => key - 40 * (Math.floor(i / heads) % time)),
  }),
};

describeForms('aftConv1d', { fused: fusedBackends, composed: ['cpu', 'wasm'] }, (form) => {
  const close = form.name === 'webgpu' ? 5 : 6;

  test.each(Object.keys(extremes))('has the right rows for %s', async (kind) => {
    await holds(form, async (drawn) => {
      const given = { ...drawn.given, ...extremes[kind]!(drawn.random, drawn) };
      const cotangent = drawn.random.uniforms(given.query.shape, -1, 1);
      const expected = referenceConv1d(given, cotangent, { causal: drawn.causal });
      const actual = differentiateConv1d(form, given, cotangent, { causal: drawn.causal });
      for (const name of results) {
        const largest = hostileTolerance[name === 'output' ? 'forward' : 'gradient'];
        await assertClose(name, actual[name], expected[name], { largest });
      }
    });
  });

  test('a causal target does not see what comes later, to the bit', () =>
    holds(form, async ({ given, batch, time, dim, heads, random }) => {
      const cut = random.integer(time);
      const isLater = (i: number, width: number) => Math.floor(i / width) % time > cut;
      const change = (x: ShapedValues, width: number) => map(x, (value, i) => (isLater(i, width) ? value + 50 : value));
      const before = await values(form, given, { causal: true });
      const changed = { ...given, key: change(given.key, heads), value: change(given.value, dim) };
      const after = await values(form, changed, { causal: true });
      for (let i = 0; i < batch * time * dim; i++) if (!isLater(i, dim)) expect(after[i]).toBe(before[i]);
    }));

  test('a constant added to every key of a head changes nothing', () =>
    holds(form, async ({ given, heads, causal }) => {
      const before = await values(form, given, { causal });
      const after = await values(form, { ...given, key: map(given.key, (key, i) => key + (i % heads)) }, { causal });
      for (const [i, x] of before.entries()) expect(after[i]).toBeCloseTo(x, close - 1);
    }));

  test('a kernel of zeros is AFT-simple', () =>
    holds(form, async ({ given, batch, time, dim, heads, causal }) => {
      const output = await values(form, { ...given, kernel: map(given.kernel, () => 0) }, { causal });
      const key = Array.from({ length: batch * time * dim }, (_, i) => {
        return given.key.data[Math.floor(i / dim) * heads + Math.floor(((i % dim) * heads) / dim)]!;
      });
      const simple = aftSimpleReference({
        ...{ batch, time, dim, key, causal, queryActivation: 'sigmoid' },
        query: given.query.data,
        value: given.value.data,
      });
      for (const [i, x] of simple.output.entries()) expect(output[i]).toBeCloseTo(x, close - 1);
    }));

  test('without a gate an output lies between the values it mixes', () =>
    holds(form, async ({ given, causal }) => {
      const output = await values(form, given, { causal, queryActivation: null });
      expectBetweenValues(form, output, given.value, causal);
    }));

  test('per head the key gradients sum to 0, and per channel the value gradients to what the targets received', () =>
    holds(form, async ({ given, batch, time, dim, heads, causal, random }) => {
      const cotangent = random.normals([batch, time, dim]);
      const gradients = differentiateConv1d(form, given, cotangent, { causal, queryActivation: null });
      const [dKey, dValue] = [await gradients.dKey.data(), await gradients.dValue.data()];
      const sum = (x: ArrayLike<number>, b: number, width: number, c: number) =>
        Array.from({ length: time }, (_, t) => x[(b * time + t) * width + c]!).reduce((p, q) => p + q, 0);
      for (let b = 0; b < batch; b++) {
        for (let h = 0; h < heads; h++) expect(sum(dKey, b, heads, h)).toBeCloseTo(0, close - 1);
        for (let c = 0; c < dim; c++) expect(sum(dValue, b, dim, c)).toBeCloseTo(sum(cotangent.data, b, dim, c), close - 1);
      }
    }));
});
