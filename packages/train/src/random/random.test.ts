import { expect, test } from 'vitest';
import { createRandom, restoreRandom } from './random';

test('gives the numbers of xoshiro128**', () => {
  const random = restoreRandom([1, 2, 3, 4]);
  expect([random.uint32(), random.uint32(), random.uint32(), random.uint32()]).toEqual([11520, 0, 5927040, 70819200]);
});

test('goes on from a saved state', () => {
  const random = createRandom(7);
  for (let i = 0; i < 100; i++) random.uniform();
  const restored = restoreRandom(JSON.parse(JSON.stringify(random.state())) as number[]);
  for (let i = 0; i < 100; i++) expect(restored.uint32()).toBe(random.uint32());
});

test('draws below a count evenly, and in [0, 1)', () => {
  const random = createRandom(1);
  const counts = [0, 0, 0, 0, 0];
  let sum = 0;
  let inside = true;
  for (let i = 0; i < 50_000; i++) {
    counts[random.below(5)]! += 1;
    const value = random.uniform();
    inside &&= value >= 0 && value < 1;
    sum += value;
  }
  expect(inside).toBe(true);
  for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(450);
  expect(Math.abs(sum / 50_000 - 0.5)).toBeLessThan(0.01);
});

test('seeds give different streams', () => {
  expect(new Set([0, 1, 2, 3, -1].map((seed) => createRandom(seed).uint32())).size).toBe(5);
});

test.each([[[0, 0, 0, 0]], [[1, 2, 3]], [[1, 2, 3, 2 ** 32]], [[1, 2, 3, -1]], [[1, 2, 3, 0.5]]])(
  'refuses the state %j',
  (state) => {
    expect(() => restoreRandom(state)).toThrow('restoreRandom: state must be four words');
  },
);
