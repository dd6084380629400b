import { describeForms, hostileTolerance, SeededRandom, type ShapedValues } from '@mixfold/testing';
import { expect, test } from 'vitest';
import { aftFullFallback } from './fallback-share';
import { agreesFull, type FullSizes, randomFull, runFull } from './test-calls';

/** Around tiles of 16 sources, stripes of 32 targets and the 64 sources from which on tiles are used. */
const sizes: FullSizes[] = [
  [1, 63, 63, 4],
  [1, 64, 64, 5],
  [2, 65, 65, 3],
  [1, 81, 81, 4],
  [2, 33, 95, 6],
  [1, 70, 64, 2],
  [1, 129, 129, 1],
];

const changed = (values: ShapedValues, f: (x: number, i: number) => number): ShapedValues => ({
  shape: values.shape,
  data: Array.from(values.data, f).map(Math.fround),
});

/** Keys `[batch, source, dim]` that one product over all sources cannot weigh, beside biases of deviation 20. */
const keys: Record<string, (j: number, c: number, random: SeededRandom) => number> = {
  'of deviation 20': (_j, _c, random) => random.normal(0, 20),
  'of deviation 30': (_j, _c, random) => random.normal(0, 30),
  'of deviation 60': (_j, _c, random) => random.normal(0, 60),
  'of +-1e4': (_j, _c, random) => random.uniform(-1e4, 1e4),
  'that rise': (j, c) => 5 * j * (c + 1),
  'of which one per channel dominates': (j, c, random) => (j === 19 + c ? 150 : random.normal()),
};

describeForms('aftFull over tiles', { fused: ['wasm'], only: ['wasm'] }, (form) => {
  const fused = form.form === 'fused';

  test.runIf(fused).each(sizes)('agrees with the reference at [%i, %i, %i, %i]', async (...shape) => {
    const [batch, target, source, dim] = shape;
    for (const causal of target === source ? [false, true] : [false]) {
      for (const rank of [0, 3]) {
        const random = new SeededRandom(target + rank);
        const keyMask = random.mask([batch, source], 0.9);
        const given = { ...randomFull(random, shape, { spread: 25, rank }), keyMask };
        aftFullFallback();
        await agreesFull(form, given, random.normals([batch, target, dim]), { causal }, hostileTolerance);
        const { elements, tiled } = aftFullFallback();
        if (source < 64) expect(tiled).toBe(0);
        else expect(tiled).toBeGreaterThan(elements / 4);
      }
    }
  });

  test.each(Object.keys(keys))('right rows and gradients for keys %s', async (name) => {
    for (const causal of [false, true]) {
      const random = new SeededRandom(31);
      const shape: FullSizes = [1, 97, 97, 5];
      const given = randomFull(random, shape, { spread: 20 });
      const key = changed(given.key, (_, i) => keys[name]!(Math.floor(i / 5), i % 5, random));
      aftFullFallback();
      await agreesFull(form, { ...given, key }, random.normals([1, 97, 5]), { causal }, hostileTolerance);
      const { tiled, redone, elements } = aftFullFallback();
      // Rising keys have one reference for every channel, and a key that dominates has its place; only the causal call lacks it.
      if (fused && (causal || !/rise|dominates/.test(name))) expect(tiled).toBeGreaterThan(elements / 4);
      if (causal === false && name.includes('deviation')) expect(redone).toBe(0);
    }
  });

  test('a causal product with a key that exceeds its reference loses nothing that counts', async () => {
    // Two sources count alike for the last target; its largest bias is at the one, and the other one's factor is as small as e^-63.
    for (const excess of [11, 19, 23, 37, 39]) {
      const random = new SeededRandom(36);
      const given = randomFull(random, [1, 9, 9, 1]);
      const key = changed(given.key, (_, i) => (i === 0 ? 0 : i === 7 ? excess : i === 8 ? -24 : -40));
      const positionBias = changed(given.positionBias!, (_, i) => (i % 9 === 8 ? 0 : i % 9 === 7 ? -24 - excess : -40));
      await agreesFull(form, { ...given, key, positionBias }, random.normals([1, 9, 1]), { causal: true });
    }
  });

  test.runIf(fused)('keeps its promise for keys and biases up to 20 that turn against each other', async () => {
    for (const causal of [false, true]) {
      const random = new SeededRandom(32);
      const given = randomFull(random, [2, 130, 130, 4]);
      const extreme = (x: ShapedValues) =>
        changed(x, () => 20 * Math.sign(random.uniform(-1, 1)) * Math.sqrt(random.uniform(0, 1)));
      const call = { ...given, key: extreme(given.key), positionBias: extreme(given.positionBias!) };
      await agreesFull(form, call, random.normals([2, 130, 4]), { causal });
    }
  });

  test.runIf(fused)('a causal target does not see what comes later, to the bit', async () => {
    const random = new SeededRandom(33);
    const [time, dim] = [130, 3];
    const given = randomFull(random, [1, time, time, dim], { spread: 25 });
    aftFullFallback();
    const before = await runFull(form, given, { causal: true }).data();
    expect(aftFullFallback().tiled).toBeGreaterThan(0);
    for (const cut of [40, 63, 64, 100]) {
      for (const spike of [1, 30, 1e4]) {
        const later = (x: ShapedValues) => changed(x, (value, i) => (i >= cut * dim ? value + spike * (1 + (i % 3)) : value));
        const after = await runFull(
          form,
          { ...given, key: later(given.key), value: later(given.value) },
          { causal: true },
        ).data();
        expect(after.slice(0, cut * dim)).toEqual(before.slice(0, cut * dim));
      }
    }
  });

  test.runIf(fused)('a NaN reaches all targets that see it', async () => {
    for (const causal of [false, true]) {
      for (const name of ['key', 'positionBias'] as const) {
        const given = randomFull(new SeededRandom(34), [1, 80, 80, 2], { spread: 30 });
        // Source 3 of channel 0, or of target 70.
        const place = name === 'key' ? 6 : 70 * 80 + 3;
        const spoilt = { ...given, [name]: changed(given[name]!, (x, i) => (i === place ? Number.NaN : x)) };
        const output = await runFull(form, spoilt, { causal }).data();
        for (const [i, x] of output.entries()) {
          const sees = name === 'key' ? i % 2 === 0 && (!causal || i >= 6) : Math.floor(i / 2) === 70;
          expect(Number.isNaN(x)).toBe(sees);
        }
      }
    }
  });

  test.runIf(fused)('targets without a source do not make a call crowded', async () => {
    const random = new SeededRandom(35);
    const keyMask = random.mask([2, 80], 1);
    // One batch entry has no source at all, the other none at first.
    keyMask.data.fill(0, 0, 120);
    aftFullFallback();
    for (const causal of [false, true]) {
      await agreesFull(form, { ...randomFull(random, [2, 80, 80, 3]), keyMask }, random.normals([2, 80, 3]), { causal });
    }
    expect(aftFullFallback().tiled).toBe(0);
  });
});
