import { packBinary } from '@mixfold/build/pack-binary';
import { expect, test } from 'vitest';
import { unpackBinary } from './unpack-binary';

test('every byte survives packing, and the text needs no escapes', () => {
  const bytes = Uint8Array.from({ length: 512 }, (_, i) => i % 256);
  const text = packBinary(bytes);
  expect(text).toMatch(/^[ -&(-[\]-~]+$/);
  expect(Array.from(unpackBinary(text))).toEqual(Array.from(bytes));
});
