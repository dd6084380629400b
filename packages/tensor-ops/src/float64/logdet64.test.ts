import { expect, test } from 'vitest';
import { product64, transposed64 } from './array64';
import { logdet64 } from './logdet64';
import { svd64 } from './svd64';
import { diagonal, random } from './test-matrices';

test('knows signs, sizes and singular matrices', () => {
  const { sign, logAbs } = logdet64([
    [0, 2],
    [3, 0],
  ]);
  expect([sign, logAbs]).toEqual([-1, Math.log(3) + Math.log(2)]);
  expect(logdet64([])).toEqual({ sign: 1, logAbs: 0 });
  expect(
    logdet64([
      [1, 2],
      [2, 4],
    ]),
  ).toEqual({ sign: 0, logAbs: Number.NEGATIVE_INFINITY });
  expect(logdet64(diagonal(new Float64Array(400).fill(-1e-3))).logAbs).toBeCloseTo(400 * Math.log(1e-3), 9);
});

test('is the sum of the logarithms of the singular values, and additive', () => {
  const [a, b] = [random(1, 8, 8), random(2, 8, 8)];
  const sum = svd64(a).s.reduce((total, value) => total + Math.log(value), 0);
  expect(logdet64(a).logAbs).toBeCloseTo(sum, 11);
  expect(logdet64(product64(a, b)).logAbs).toBeCloseTo(logdet64(a).logAbs + logdet64(b).logAbs, 10);
  expect(logdet64(product64(a, b)).sign).toBe(logdet64(a).sign * logdet64(b).sign);
  expect(logdet64(transposed64(a)).sign).toBe(logdet64(a).sign);
});
