import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Array64, product64 } from './array64';
import { logdet64 } from './logdet64';
import { svd64 } from './svd64';
import { close, diagonal, identity, matrixShapes, ofRank, random } from './test-matrices';

async function holds(a: Array64, bound = 1e-13) {
  const { u, s, v } = svd64(a);
  const k = Math.min(...(a.shape as [number, number]));
  expect([u.shape, s.length, v.shape]).toEqual([[a.shape[0], k], k, [a.shape[1], k]]);
  const scale = s[0] || 1;
  const made = product64(product64(u, diagonal(s)), v, false, true);
  const over = ({ shape, data }: Array64) => ({ shape, data: data.map((x) => x / scale) });
  await close('u s v^T', over(made), over(a), bound);
  await close('u^T u', product64(u, u, true), identity(k), bound);
  await close('v^T v', product64(v, v, true), identity(k), bound);
  for (let i = 1; i < k; i++) expect(s[i]).toBeLessThanOrEqual(s[i - 1]!);
  return s;
}

test.each(matrixShapes)('decomposes [%i, %i]', (rows, columns) => holds(random(rows, rows, columns)).then(() => undefined));

test('decomposes random matrices of any rank', async () => {
  const drawn = fc.record({
    rows: fc.integer({ min: 1, max: 9 }),
    columns: fc.integer({ min: 1, max: 9 }),
    rank: fc.integer({ min: 0, max: 9 }),
    seed: fc.nat(1000),
  });
  const property = fc.asyncProperty(drawn, async ({ rows, columns, rank, seed }) => {
    const s = await holds(
      rank === 0 ? { shape: [rows, columns], data: new Float64Array(rows * columns) } : ofRank(seed, rows, columns, rank),
    );
    for (const value of s.subarray(rank)) expect(value).toBeLessThanOrEqual(1e-13 * s[0]!);
  });
  await fc.assert(property, { numRuns: 60, seed: 1 });
});

test('knows the singular values of known matrices', async () => {
  expect(
    Array.from(
      svd64([
        [3, 0],
        [4, 5],
      ]).s,
    ).map((x) => x.toFixed(12)),
  ).toEqual([Math.sqrt(45), Math.sqrt(5)].map((x) => x.toFixed(12)));
  const { s: swapped } = svd64([
    [0, -2],
    [7, 0],
  ]);
  expect(swapped[0]).toBeCloseTo(7, 13);
  expect(swapped[1]).toBeCloseTo(2, 13);
  // A graded matrix: the least value keeps its digits, ten powers below the rounding of the largest.
  const graded = product64(diagonal([1, 1e-10, 1e-25]), random(3, 3, 3));
  const least = svd64(graded).s[2]!;
  const { logAbs } = logdet64(graded);
  const rest = Math.log(svd64(graded).s[0]!) + Math.log(svd64(graded).s[1]!);
  expect(Math.log(least) - (logAbs - rest)).toBeCloseTo(0, 10);
  await holds({ shape: [2, 2], data: Float64Array.of(1e300, 2e300, 3e300, 4e300) });
  await holds({ shape: [2, 2], data: Float64Array.of(1e-300, 2e-300, 3e-300, 4e-300) });
});

test('of nothing is nothing', () => {
  const { u, s, v } = svd64({ shape: [0, 3], data: new Float64Array(0) });
  expect([u.shape, s.length, v.shape]).toEqual([[0, 0], 0, [3, 0]]);
});
