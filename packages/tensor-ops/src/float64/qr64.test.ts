import { expect, test } from 'vitest';
import { product64 } from './array64';
import { qr64 } from './qr64';
import { close, identity, matrixShapes, ofRank, random } from './test-matrices';

test.each(matrixShapes)('gives back its matrix at [%i, %i]', async (rows, columns) => {
  const a = random(rows, rows, columns);
  const { q, r } = qr64(a);
  const k = Math.min(rows, columns);
  expect([q.shape, r.shape]).toEqual([
    [rows, k],
    [k, columns],
  ]);
  await close('q r', product64(q, r), a);
  await close('q^T q', product64(q, q, true), identity(k));
  for (let i = 0; i < k; i++) {
    expect(r.data[i * columns + i]).toBeGreaterThanOrEqual(0);
    for (let j = 0; j < i; j++) expect(r.data[i * columns + j]).toBe(0);
  }
});

test('takes dependent columns, zeros, extremes and nothing', async () => {
  for (const a of [ofRank(1, 6, 4, 2), ofRank(2, 4, 6, 1), { shape: [3, 2], data: new Float64Array(6) }]) {
    const { q, r } = qr64(a);
    await close('q r', product64(q, r), a);
    await close('q^T q', product64(q, q, true), identity(q.shape[1]!));
  }
  const { r } = qr64([[3e200], [4e200]]);
  expect(r.data[0]! / 5e200).toBeCloseTo(1, 14);
  expect(qr64([]).q.shape).toEqual([0, 0]);
  expect(qr64({ shape: [0, 3], data: new Float64Array(0) }).r.shape).toEqual([0, 3]);
  expect(qr64([[], []]).q.shape).toEqual([2, 0]);
});
