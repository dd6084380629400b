import { describeForms, SeededRandom, type ShapedValues } from '@mixfold/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { differentiateAttention, randomAttention, runAttention } from './test-calls';

const call = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  batch: fc.integer({ min: 1, max: 2 }),
  group: fc.integer({ min: 1, max: 2 }),
  target: fc.integer({ min: 1, max: 40 }),
  source: fc.integer({ min: 1, max: 40 }),
  headDim: fc.integer({ min: 1, max: 9 }),
  causal: fc.boolean(),
});

const map = (values: ShapedValues, f: (x: number, i: number) => number): ShapedValues => ({
  shape: values.shape,
  data: Array.from(values.data, f).map(Math.fround),
});

const total = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);

// On WebGPU every set of options is programs of its own; its kernels are held to the reference.
describeForms('scaledDotProductAttention', { fused: ['wasm'], only: ['cpu', 'wasm'] }, (form) => {
  test('dropout drops the same pairs in every form, as many as it should, and keeps the mean', async () => {
    const random = new SeededRandom(3);
    const [target, source] = [40, 100];
    // Equal scores, and values that tell which sources are left.
    const query = { shape: [1, 2, target, 4], data: new Array(2 * target * 4).fill(0) };
    const { key } = randomAttention(random, { heads: 2, target: source, headDim: 4 });
    const value = { shape: [1, 2, source, 1], data: new Array(2 * source).fill(1) };
    const outputs = await runAttention(form, { query, key, value }, { dropout: { rate: 0.25, seed: 5 } }).data();
    const mean = total(outputs) / outputs.length;
    expect(mean).toBeCloseTo(1, 1);
    for (const x of outputs) {
      const left = x * 0.75 * source;
      expect(left).toBeCloseTo(Math.round(left), 3);
    }
  });

  type Drawn = { random: SeededRandom; causal: boolean; target: number; source: number; headDim: number } & ReturnType<
    typeof randomAttention
  >;

  /** Checks a law on random calls. */
  async function holds(law: (drawn: Drawn) => Promise<void>): Promise<void> {
    const property = fc.asyncProperty(call, async ({ seed, batch, group, target, source, headDim, causal }) => {
      const random = new SeededRandom(seed);
      const sizes = { batch, heads: 2 * group, keyHeads: 2, target, source, headDim };
      await law({ ...randomAttention(random, sizes, 2), random, causal, target, source, headDim });
    });
    await fc.assert(property, { numRuns: 6, seed: 42 });
  }

  test.each([1, 1e4])('a causal target does not see what comes later, to the bit, if that is %f larger', (spike) =>
    holds(async ({ random, target, source, headDim, query, key, value }) => {
      const cut = random.integer(source);
      const change = (x: ShapedValues) =>
        map(x, (number, i) => (Math.floor(i / headDim) % source > cut ? number + spike * (1 + (i % 3)) : number));
      const before = await runAttention(form, { query, key, value }, { causal: true }).data();
      const later = { query, key: change(key), value: change(value) };
      const after = await runAttention(form, later, { causal: true }).data();
      for (const [i, x] of before.entries()) {
        if ((Math.floor(i / headDim) % target) + source - target <= cut) expect(after[i]).toBe(x);
      }
    }),
  );

  test('a constant added to a row of the bias changes nothing; a head of its own is what many heads give it', () =>
    holds(async ({ random, causal, target, source, query, key, value }) => {
      const bias = random.normals([target, source]);
      const before = await runAttention(form, { query, key, value, bias }, { causal }).data();
      const moved = map(bias, (x, i) => x + (Math.floor(i / source) % 7) - 3);
      const after = await runAttention(form, { query, key, value, bias: moved }, { causal }).data();
      for (const [i, x] of before.entries()) expect(after[i]).toBeCloseTo(x, 5);
      const heads = query.shape[1]!;
      const repeated = (x: ShapedValues) => {
        const [batch, keyHeads, ...rest] = x.shape as [number, number, number, number];
        const size = rest[0]! * rest[1]!;
        const data = Array.from({ length: batch * heads * size }, (_, i) => {
          const h = Math.floor(i / size) % heads;
          const b = Math.floor(i / size / heads);
          return x.data[(b * keyHeads + Math.floor(h / (heads / keyHeads))) * size + (i % size)]!;
        });
        return { shape: [batch, heads, ...rest], data };
      };
      const own = await runAttention(form, { query, key: repeated(key), value: repeated(value), bias }, { causal }).data();
      for (const [i, x] of before.entries()) expect(own[i]).toBeCloseTo(x, 5);
    }));

  test('an output lies between the values it mixes; value gradients sum to what targets with a source received, rows of the bias to 0', () =>
    holds(async ({ random, causal, target, source, headDim, query, key, value, cotangent }) => {
      const mask = random.mask([target, source], 0.6);
      const bias = random.normals([target, source]);
      const made = differentiateAttention(form, { query, key, value, mask, bias }, cotangent, { causal });
      const output = await made.output.data();
      const most = Math.max(...Array.from(value.data, Math.abs));
      for (const x of output) expect(Math.abs(x)).toBeLessThanOrEqual(most * (1 + 1e-6));
      const sees = (t: number) =>
        Array.from({ length: source }, (_, s) => s).some(
          (s) => mask.data[t * source + s] && (!causal || s <= t + source - target),
        );
      const received = Array.from(cotangent.data).filter((_, i) => sees(Math.floor(i / headDim) % target));
      expect(total(await made.dValue!.data())).toBeCloseTo(total(received), 3);
      const dBias = await made.dBias!.data();
      for (let t = 0; t < target; t++) expect(total(dBias.slice(t * source, (t + 1) * source))).toBeCloseTo(0, 3);
    }));
});
