import { expect, test } from 'vitest';
import { BLOCK_BYTES, splitBlocks } from './split-blocks';

test('holds out every twentieth block of 8 KiB', () => {
  const text = Uint8Array.from({ length: 41 * BLOCK_BYTES + 5 }, (_, i) => Math.floor(i / BLOCK_BYTES));
  const { training, validation } = splitBlocks(text);
  expect(validation.length).toBe(2 * BLOCK_BYTES);
  expect([...new Set(validation)]).toEqual([19, 39]);
  expect(training.length + validation.length).toBe(text.length);
  expect(training.includes(19)).toBe(false);
});

test('cuts a short text into smaller blocks', () => {
  const text = Uint8Array.from({ length: 100 }, (_, i) => i);
  const { training, validation } = splitBlocks(text);
  expect([...validation]).toEqual([95, 96, 97, 98, 99]);
  expect(training.length).toBe(95);
});
