import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { divideProducts, threadsPay } from './divide-products';
import type { ProductStack } from './product-stack';

test('the shares cover every element once, and differ by little', () => {
  const size = fc.integer({ min: 1, max: 70 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      size,
      size,
      fc.integer({ min: 1, max: 6 }),
      (products, rows, columns, threads) => {
        const covered = new Uint8Array(products * rows * columns);
        const shares = divideProducts({ products, rows, columns } as ProductStack, threads);
        expect(shares).toHaveLength(threads);
        const sizes = shares.map((parts) => {
          let elements = 0;
          for (const part of parts) {
            for (let i = part.row; i < part.row + part.rows; i++) {
              for (let j = part.column; j < part.column + part.columns; j++) covered[(part.product * rows + i) * columns + j]!++;
            }
            elements += part.rows * part.columns;
          }
          return elements;
        });
        expect(covered.every((times) => times === 1)).toBe(true);
        // Of each product that does not go round, a share has its part of the longer side, up to a tile more or less.
        const uneven = (products % threads) * Math.min(rows, columns) * 2 * 8;
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(uneven);
      },
    ),
  );
});

test('threads are for products that are long, and not mostly copies', () => {
  const pays = (products: number, rows: number, depth: number, columns: number) =>
    threadsPay({ products, rows, depth, columns }, 2);
  expect(pays(1, 1024, 1024, 1024)).toBe(true);
  expect(pays(8, 128, 64, 128)).toBe(true);
  expect(pays(1, 128, 128, 128)).toBe(false);
  expect(pays(1, 1, 4096, 4096)).toBe(false);
  expect(pays(1, 4096, 4, 4096)).toBe(false);
  expect(pays(100_000, 4, 4, 4)).toBe(false);
  expect(threadsPay({ products: 1, rows: 1024, depth: 1024, columns: 1024 }, 1)).toBe(false);
});
