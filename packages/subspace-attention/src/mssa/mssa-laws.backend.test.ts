import { describeForms, SeededRandom, type ShapedValues } from '@mixfold/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differentiateMssa, type MssaArguments, type PlainOptions, randomMssa, runMssa } from './test-calls';

const call = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 2 }),
  tokens: fc.integer({ min: 1, max: 80 }),
  dim: fc.integer({ min: 1, max: 9 }),
  heads: fc.integer({ min: 1, max: 3 }),
  headDim: fc.integer({ min: 1, max: 9 }),
  untied: fc.boolean(),
});

const map = (values: ShapedValues, f: (x: number, i: number) => number): ShapedValues => ({
  shape: values.shape,
  data: Array.from(values.data, f).map(Math.fround),
});

// On WebGPU every set of options is programs of its own; its kernels are held to the reference.
describeForms('mssa', { fused: ['wasm'], only: ['cpu', 'wasm'] }, (form) => {
  type Drawn = { random: SeededRandom; tokens: number; dim: number } & { given: MssaArguments; cotangent: ShapedValues };

  /** Checks a law on random calls. */
  async function holds(law: (drawn: Drawn) => Promise<void>): Promise<void> {
    const property = fc.asyncProperty(call, async ({ seed, untied, ...sizes }) => {
      const random = new SeededRandom(seed);
      const { cotangent, ...given } = randomMssa(random, sizes, { untied, spread: 2 });
      await law({ random, given, cotangent, tokens: sizes.tokens, dim: sizes.dim });
    });
    await fc.assert(property, { numRuns: 6, seed: 42 });
  }

  const run = (given: MssaArguments, options: PlainOptions = {}) => runMssa(form, given, options).data();

  test.each([1, 1e4])('a causal token does not see what comes later, to the bit, if that is %f larger', (spike) =>
    holds(async ({ random, given, tokens, dim }) => {
      const cut = random.integer(tokens);
      const isLater = (i: number) => Math.floor(i / dim) % tokens > cut;
      const changed = map(given.tokens, (x, i) => (isLater(i) ? x + spike * (1 + (i % 3)) : x));
      const before = await run(given, { causal: true });
      const after = await run({ ...given, tokens: changed }, { causal: true });
      for (const [i, x] of before.entries()) if (!isLater(i)) expect(after[i]).toBe(x);
    }),
  );

  test('tokens in another order give the same in that order', () =>
    holds(async ({ given, tokens, dim }) => {
      const turned = (x: ShapedValues) =>
        map(x, (_, i) => {
          const row = Math.floor(i / dim);
          const other = row - (row % tokens) + (tokens - 1 - (row % tokens));
          return x.data[other * dim + (i % dim)]!;
        });
      const before = await run(given, { maskSelf: true });
      const after = await run({ ...given, tokens: turned(given.tokens) }, { maskSelf: true });
      const expected = turned({ shape: given.tokens.shape, data: before }).data;
      for (const [i, x] of after.entries()) expect(x).toBeCloseTo(expected[i]!, 4);
    }));

  test('an output of transposed subspaces is the tied output, and the gradients add up', () =>
    holds(async ({ given, cotangent, dim }) => {
      const [heads, , headDim] = given.subspaces.shape as [number, number, number];
      const across = map({ shape: [heads, headDim, dim], data: given.subspaces.data }, (_, i) => {
        const [h, c, at] = [Math.floor(i / dim / headDim), Math.floor(i / dim) % headDim, i % dim];
        return given.subspaces.data[(h * dim + at) * headDim + c]!;
      });
      const tied = differentiateMssa(form, { ...given, output: undefined }, cotangent);
      const untied = differentiateMssa(form, { ...given, output: across }, cotangent);
      const outputs = await Promise.all([tied.denoised.data(), untied.denoised.data()]);
      for (const [i, x] of outputs[0].entries()) expect(outputs[1][i]).toBeCloseTo(x, 4);
      const [whole, inner, outer] = await Promise.all(
        [tied.dSubspaces!, untied.dSubspaces!, untied.dOutput!].map((gradient) => gradient.data()),
      );
      const largest = Math.max(1, ...Array.from(whole!, Math.abs));
      for (const [i, x] of whole!.entries()) {
        const [h, at, c] = [Math.floor(i / dim / headDim), Math.floor(i / headDim) % dim, i % headDim];
        expect((inner![i]! + outer![(h * headDim + c) * dim + at]!) / largest).toBeCloseTo(x / largest, 4);
      }
    }));

  test('masked tokens may as well be left out', () =>
    holds(async ({ given, tokens, dim }) => {
      const kept = Math.ceil(tokens / 2);
      const [batch] = given.tokens.shape as [number];
      const keyMask = {
        shape: [batch, tokens],
        data: Array.from({ length: batch * tokens }, (_, i) => Number(i % tokens < kept)),
      };
      const whole = await run({ ...given, keyMask });
      const isKept = (i: number) => Math.floor(i / dim) % tokens < kept;
      const fewer = { shape: [batch, kept, dim], data: Array.from(given.tokens.data).filter((_, i) => isKept(i)) };
      const short = await run({ ...given, tokens: fewer });
      for (const [i, x] of Array.from(whole)
        .filter((_, i) => isKept(i))
        .entries())
        expect(short[i]).toBeCloseTo(x, 4);
    }));
});
