import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const copies = fileURLToPath(new URL('../conformance/', import.meta.url));
const originals = fileURLToPath(new URL('../../../../shared/conformance/', import.meta.url));

describe('the conformance vectors', () => {
  test('are there, with the numbers their shapes ask for', () => {
    const names = readdirSync(copies).filter((name) => name.endsWith('.json'));
    expect(names.length).toBeGreaterThan(30);
    for (const name of names) {
      const { cases } = JSON.parse(readFileSync(copies + name, 'utf8'));
      for (const { inputs, output } of cases) {
        for (const { shape, data } of [output, ...Object.values<{ shape: number[]; data: number[] }>(inputs)]) {
          expect(data.length, name).toBe(shape.reduce((product: number, n: number) => product * n, 1));
        }
      }
    }
  });

  // The originals stand beside a working copy of the project, not beside every clone.
  if (!existsSync(originals)) return;
  test('are equal to the originals', () => {
    expect(readdirSync(copies).sort()).toEqual(readdirSync(originals).sort());
    for (const name of readdirSync(originals)) {
      expect(readFileSync(copies + name, 'utf8') === readFileSync(originals + name, 'utf8'), name).toBe(true);
    }
  });
});
