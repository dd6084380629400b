import { expect, it } from 'vitest';
import { interleave } from './interleave';
import { isMet } from './report';

function busy(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

it('takes the samples turn about, enters before each, and repeats short runs', async () => {
  const log: string[] = [];
  const contestant = (name: string, milliseconds: number) => ({
    name,
    form: 'test',
    flops: 1e6,
    enter: () => void log.push(`enter ${name}`),
    run: () => {
      log.push(name);
      busy(milliseconds);
    },
  });
  const [short, long] = await interleave([contestant('short', 0.5), contestant('long', 250)], { rounds: 3, sampleMs: 5 });
  expect(log.filter((entry) => entry.startsWith('enter'))).toEqual(
    ['short', 'long', 'short', 'long', 'short', 'long', 'short', 'long'].map((name) => `enter ${name}`),
  );
  expect(log.filter((entry) => entry === 'short').length).toBeGreaterThan(3 * 5);
  // Too long for a second run of each sample: one and two to see how long it takes, then the three.
  expect(log.filter((entry) => entry === 'long')).toHaveLength(3 + 3);
  for (const timing of [short!, long!]) {
    expect(timing).toMatchObject({ form: 'test', samples: 3 });
    expect(timing.min).toBeLessThanOrEqual(timing.median);
    expect(timing.gflops).toBeCloseTo(1 / timing.median, 6);
  }
  expect(short!.median).toBeGreaterThan(0.3);
});

it('tells which bounds are kept', () => {
  expect(isMet({ text: '', value: 8, atLeast: 8 })).toBe(true);
  expect(isMet({ text: '', value: 7.99, atLeast: 8 })).toBe(false);
  expect(isMet({ text: '', value: 9, atMost: 8.8 })).toBe(false);
  expect(isMet({ text: '', value: Number.NaN, atLeast: 1 })).toBe(false);
});
