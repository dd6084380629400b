import { assertClose } from '@mixfold/testing';
import { expect, test } from 'vitest';
import { type Array64, norm64 } from './array64';
import { cpDecompose64 } from './cp-decompose64';
import { random } from './test-matrices';

/** The tensor of weights and factors, by the definition. */
function cpTensor(weights: ArrayLike<number>, factors: readonly Array64[]): Array64 {
  const shape = factors.map((factor) => factor.shape[0]!);
  const size = shape.reduce((product, n) => product * n, 1);
  const data = Float64Array.from({ length: size }, (_, flat) => {
    let rest = flat;
    const index = [...shape].reverse().map((n) => {
      const own = rest % n;
      rest = Math.floor(rest / n);
      return own;
    });
    index.reverse();
    return Array.from(weights, (weight, r) => {
      return factors.reduce((term, factor, mode) => term * factor.data[index[mode]! * weights.length + r]!, weight);
    }).reduce((sum, term) => sum + term, 0);
  });
  return { shape, data };
}

test.each([
  [[5, 4, 6], 2],
  [[4, 5, 3, 4], 3],
  [[6, 7], 3],
  [[5, 6, 7], 4],
] as const)('recovers a tensor of shape %j and rank %i', async (shape, rank) => {
  const given = cpTensor(
    new Float64Array(rank).fill(1),
    shape.map((size, mode) => random(mode + 10, size, rank)),
  );
  const found = cpDecompose64(given, rank, { seed: 3, tolerance: 1e-13, maxIterations: 3000 });
  expect(found.relativeError).toBeLessThan(1e-8);
  const made = cpTensor(found.weights, found.factors);
  await assertClose('tensor', made, given, { relative: 1e-8 });
  for (const factor of found.factors) {
    for (let r = 0; r < rank; r++) expect(norm64(factor.data.filter((_, i) => i % rank === r))).toBeCloseTo(1, 12);
  }
  for (let r = 1; r < rank; r++) expect(found.weights[r]).toBeLessThanOrEqual(found.weights[r - 1]!);
});

test('the factors of a CP tensor are found again, up to order and sign', () => {
  const factors = [random(1, 6, 2), random(2, 5, 2), random(3, 4, 2)];
  const found = cpDecompose64(cpTensor([1, 1], factors), 2, { tolerance: 1e-14 });
  for (const [mode, factor] of factors.entries()) {
    const column = (matrix: Array64, r: number) => matrix.data.filter((_, i) => i % 2 === r);
    for (const r of [0, 1]) {
      const own = column(factor, r);
      const overlaps = [0, 1].map((s) => {
        const other = column(found.factors[mode]!, s);
        return Math.abs(own.reduce((sum, x, i) => sum + x * other[i]!, 0)) / norm64(own);
      });
      expect(Math.max(...overlaps)).toBeCloseTo(1, 8);
    }
  }
});

test('is the same for the same seed, ends where told, and reports the error it has', async () => {
  const t = random(5, 4, 4, 4);
  const [once, again] = [cpDecompose64(t, 2, { seed: 7 }), cpDecompose64(t, 2, { seed: 7 })];
  expect(once).toEqual(again);
  const made = cpTensor(once.weights, once.factors);
  const difference = made.data.map((x, i) => x - t.data[i]!);
  expect(once.relativeError).toBeCloseTo(norm64(difference) / norm64(t.data), 10);
  expect(cpDecompose64(t, 2, { maxIterations: 3, tolerance: 0 })).toMatchObject({ iterations: 3, converged: false });
});

test('zeros and nothing have weights of 0', () => {
  const zero = cpDecompose64({ shape: [2, 3], data: new Float64Array(6) }, 2);
  expect([Array.from(zero.weights), zero.relativeError]).toEqual([[0, 0], 0]);
  const none = cpDecompose64({ shape: [2, 0, 3], data: new Float64Array(0) }, 2);
  expect([Array.from(none.weights), none.factors.map((factor) => factor.shape)]).toEqual([
    [0, 0],
    [
      [2, 2],
      [0, 2],
      [3, 2],
    ],
  ]);
});
