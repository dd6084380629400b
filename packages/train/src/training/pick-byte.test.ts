import { expect, test } from 'vitest';
import { createRandom } from '../random/random';
import { pickByte } from './pick-byte';

const logits = Float32Array.of(0, Math.log(3), Math.log(6), -1000);

test('draws in proportion, sharpened by the temperature', () => {
  const random = createRandom(1);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 10_000; i++) counts[pickByte(logits, { temperature: 1, topK: 4 }, random)]! += 1;
  expect(counts.map((count) => Math.round(count / 500))).toEqual([2, 6, 12, 0]);
  const cold = Array.from({ length: 1000 }, () => pickByte(logits, { temperature: 0.05, topK: 4 }, random));
  expect(new Set(cold)).toEqual(new Set([2]));
});

test('temperature 0 takes the likeliest', () => {
  expect(pickByte(logits, { temperature: 0, topK: 4 }, createRandom(1))).toBe(2);
});

test('top-k leaves the others out; topK 1 is the likeliest', () => {
  const random = createRandom(2);
  const drawn = (topK: number) => new Set(Array.from({ length: 500 }, () => pickByte(logits, { temperature: 5, topK }, random)));
  expect(drawn(2)).toEqual(new Set([1, 2]));
  expect(drawn(1)).toEqual(new Set([2]));
  expect(drawn(1000)).toEqual(new Set([0, 1, 2]));
});
