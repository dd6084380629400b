import { expect, test } from 'vitest';
import { norm64, product64 } from './array64';
import { leastSquares64 } from './least-squares64';
import { svd64 } from './svd64';
import { close, ofRank, random } from './test-matrices';

test('solves what has a solution, and reports the system', async () => {
  const [B, x] = [random(1, 9, 4), random(2, 4, 3)];
  const solved = leastSquares64(B, product64(B, x));
  await close('x', solved.x, x);
  expect(solved.residualNorm).toBeLessThan(1e-13);
  expect(solved.rank).toBe(4);
  expect(solved.conditionNumber).toBeCloseTo(solved.singularValues[0]! / solved.singularValues[3]!, 12);
  expect(
    leastSquares64(
      [
        [1, 0],
        [1, 1],
        [1, 2],
      ],
      [1, 3, 5],
    ).x,
  ).toEqual({ shape: [2], data: expect.anything() });
});

test('the residual is orthogonal to the columns', async () => {
  const [B, F] = [random(3, 11, 5), random(4, 11, 1)];
  const { x, residualNorm } = leastSquares64(B, F);
  const residual = { shape: F.shape, data: product64(B, x).data.map((value, i) => value - F.data[i]!) };
  await close('B^T r', product64(B, residual, true), { shape: [5, 1], data: new Float64Array(5) });
  expect(residualNorm).toBeCloseTo(norm64(residual.data), 12);
});

test('a singular system reports its rank and has the shortest solution', async () => {
  const B = ofRank(5, 7, 5, 3);
  const { x, rank, conditionNumber } = leastSquares64(B, product64(B, random(6, 5, 1)));
  expect(rank).toBe(3);
  expect(conditionNumber).toBeGreaterThan(1e14);
  // The shortest lies in the span of the rows: what is orthogonal to them has no part in it.
  const { v } = svd64(B);
  const parts = product64(v, x, true).data;
  expect(Math.max(Math.abs(parts[3]!), Math.abs(parts[4]!))).toBeLessThan(1e-12);
  expect(
    leastSquares64(
      [
        [1, 1],
        [1, 1],
      ],
      [2, 2],
    ),
  ).toMatchObject({ rank: 1 });
  expect(
    Array.from(
      leastSquares64(
        [
          [1, 1],
          [1, 1],
        ],
        [2, 2],
      ).x.data,
    ).map((value) => value.toFixed(12)),
  ).toEqual(['1.000000000000', '1.000000000000']);
  const zero = leastSquares64([[0, 0]], [1]);
  expect([zero.rank, zero.conditionNumber, zero.residualNorm, ...zero.x.data]).toEqual([0, Number.POSITIVE_INFINITY, 1, 0, 0]);
  expect(
    leastSquares64(
      [
        [1, 0],
        [0, 0.1],
      ],
      [1, 1],
      { rcond: 0.5 },
    ).rank,
  ).toBe(1);
});

test('of nothing is nothing', () => {
  const none = leastSquares64([], []);
  expect([none.x.shape, none.rank, none.residualNorm, none.conditionNumber]).toEqual([[0], 0, 0, 1]);
  const noRows = leastSquares64({ shape: [0, 2], data: new Float64Array(0) }, []);
  expect([Array.from(noRows.x.data), noRows.rank]).toEqual([[0, 0], 0]);
  const noColumns = leastSquares64([[], []], [3, 4]);
  expect([noColumns.x.shape, noColumns.residualNorm]).toEqual([[0], 5]);
});
