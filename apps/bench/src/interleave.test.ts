import { expect, it } from 'vitest';
import { interleave } from './interleave';
import { isMet } from './report';

/** A clock that only the contestants move: a run takes its time exactly, and other processes may take `others` times as much beside it. */
function contest(others = 0) {
  const log: string[] = [];
  let [now, used] = [0, 0];
  const contestant = (name: string, milliseconds: number) => ({
    name,
    form: 'test',
    flops: 1e6,
    enter: () => void log.push(`enter ${name}`),
    run: () => {
      log.push(name);
      used += milliseconds;
      now += milliseconds * (1 + others);
    },
  });
  const clock = { now: () => now, used: () => used };
  return { log, clock, contestants: [contestant('short', 0.5), contestant('long', 250)] };
}

it('takes the samples turn about, enters before each, and repeats short runs', async () => {
  const { log, clock, contestants } = contest();
  const [short, long] = await interleave(contestants, { rounds: 3, sampleMs: 5 }, clock);
  expect(log.filter((entry) => entry.startsWith('enter'))).toEqual(
    ['short', 'long', 'short', 'long', 'short', 'long', 'short', 'long'].map((name) => `enter ${name}`),
  );
  // One run and two to see how long it takes; then three times one to warm up and ten for the sample.
  expect(log.filter((entry) => entry === 'short')).toHaveLength(3 + 3 * 11);
  // Too long for a second run of each sample.
  expect(log.filter((entry) => entry === 'long')).toHaveLength(1 + 3);
  expect(short).toEqual({ name: 'short', form: 'test', min: 0.5, median: 0.5, samples: 3, gflops: 2 });
  expect(long).toMatchObject({ min: 250, median: 250 });
});

it('takes fewer samples of what is slow, two at least', async () => {
  const { clock, contestants } = contest();
  const slow = { ...contestants[1]!, run: () => Array.from({ length: 5 }, contestants[1]!.run)[0] };
  const [short, long, longer] = await interleave([...contestants, slow], { rounds: 5, sampleMs: 5, mostMs: 100 }, clock);
  expect([short!.samples, long!.samples, longer!.samples]).toEqual([5, 3, 2]);
});

it('does not count the time of other processes', async () => {
  const { clock, contestants } = contest(3);
  const [short] = await interleave(contestants, { rounds: 3, sampleMs: 5 }, clock);
  expect(short!.median).toBe(0.5);
});

it('counts the time of a contestant with threads by the clock', async () => {
  const { clock, contestants } = contest(3);
  const [short] = await interleave([{ ...contestants[0]!, threaded: true }], { rounds: 3, sampleMs: 5 }, clock);
  expect(short!.median).toBe(2);
});

it('times by the clock of the machine', async () => {
  const contestant = { name: 'sum', form: 'test', enter: () => {}, run: () => void Array.from({ length: 1e5 }, Math.sqrt) };
  const [timing] = await interleave([contestant], { rounds: 3, sampleMs: 5 });
  expect(timing!.min).toBeGreaterThan(0);
  expect(timing!.min).toBeLessThanOrEqual(timing!.median);
});

it('tells which bounds are kept', () => {
  expect(isMet({ text: '', value: 8, atLeast: 8 })).toBe(true);
  expect(isMet({ text: '', value: 7.99, atLeast: 8 })).toBe(false);
  expect(isMet({ text: '', value: 9, atMost: 8.8 })).toBe(false);
  expect(isMet({ text: '', value: Number.NaN, atLeast: 1 })).toBe(false);
});
