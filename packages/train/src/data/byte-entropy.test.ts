import { expect, test } from 'vitest';
import { createRandom } from '../random/random';
import { byteEntropy } from './byte-entropy';

const bytes = (text: string) => new TextEncoder().encode(text);

test('a text whose next byte follows from the last has order-1 entropy near 0', () => {
  const { order0, order1 } = byteEntropy(bytes('abcd'.repeat(5000)), bytes('abcd'.repeat(100)));
  expect(order0).toBeCloseTo(Math.log(4), 1);
  expect(order1).toBeLessThan(0.01);
});

test('even bytes have log 256 at either order', () => {
  const random = createRandom(3);
  const noise = (length: number) => Uint8Array.from({ length }, () => random.below(256));
  const { order0, order1 } = byteEntropy(noise(4_000_000), noise(20_000));
  expect(Math.abs(order0 - Math.log(256))).toBeLessThan(0.01);
  expect(Math.abs(order1 - Math.log(256))).toBeLessThan(0.05);
});

test('agrees with the definition on a small text', () => {
  const p0 = (count: number) => (count + 0.5) / (3 + 128);
  const p1 = (pair: number, before: number, count: number) => (pair + p0(count)) / (before + 1);
  const { order0, order1 } = byteEntropy(bytes('aab'), bytes('abz'));
  expect(order0).toBeCloseTo(-(Math.log(p0(2)) + Math.log(p0(1)) + Math.log(p0(0))) / 3, 12);
  expect(order1).toBeCloseTo(-(Math.log(p1(1, 2, 1)) + Math.log(p1(0, 0, 0))) / 2, 12);
});

test('probabilities of order 1 add up to 1', () => {
  const training = bytes('the quick brown fox');
  let sum = 0;
  for (let byte = 0; byte < 256; byte++) {
    const { order1 } = byteEntropy(training, Uint8Array.of(101, byte));
    sum += Math.exp(-order1);
  }
  expect(sum).toBeCloseTo(1, 12);
});
