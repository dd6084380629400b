import { assertClose } from '@mixfold/testing';
import { expect, test } from 'vitest';
import { type Array64, norm64, product64 } from './array64';
import { svd64 } from './svd64';
import { close, identity, random } from './test-matrices';
import { tuckerDecompose64 } from './tucker-decompose64';
import { fold64, unfold64 } from './unfold64';

test('fold64 undoes unfold64', () => {
  const t = random(1, 2, 3, 4);
  for (const mode of [0, 1, 2]) expect(fold64(unfold64(t, mode), mode, t.shape)).toEqual(t);
  expect(Array.from(unfold64({ shape: [2, 2, 2], data: Float64Array.of(0, 1, 2, 3, 4, 5, 6, 7) }, 1).data)).toEqual([
    0, 1, 4, 5, 2, 3, 6, 7,
  ]);
});

const made = (core: Array64, factors: readonly Array64[]) =>
  factors.reduce((t, factor, mode) => {
    const shape = t.shape.map((size, axis) => (axis === mode ? factor.shape[0]! : size));
    return fold64(product64(factor, unfold64(t, mode)), mode, shape);
  }, core);

test('is exact at the ranks of the tensor, with orthonormal factors', async () => {
  const t = made(random(1, 2, 3, 2), [random(2, 6, 2), random(3, 5, 3), random(4, 4, 2)]);
  const { core, factors, relativeError, converged } = tuckerDecompose64(t, [2, 3, 2]);
  expect(core.shape).toEqual([2, 3, 2]);
  expect(converged).toBe(true);
  expect(relativeError).toBeLessThan(1e-13);
  await assertClose('tensor', made(core, factors), t, { relative: 1e-13 });
  for (const factor of factors) await close('orthonormal', product64(factor, factor, true), identity(factor.shape[1]!));
});

test('of a matrix is its truncated singular value decomposition', () => {
  const a = random(5, 7, 5);
  const { s } = svd64(a);
  const { relativeError } = tuckerDecompose64(a, [2, 2]);
  expect(relativeError * norm64(a.data)).toBeCloseTo(norm64(s.subarray(2)), 11);
});

test('iterating does not make the first guess worse', () => {
  const t = random(6, 6, 6, 6);
  const first = tuckerDecompose64(t, [2, 2, 2], { maxIterations: 0 }).relativeError;
  expect(tuckerDecompose64(t, [2, 2, 2]).relativeError).toBeLessThanOrEqual(first + 1e-12);
});

test('of nothing is nothing', () => {
  const none = tuckerDecompose64({ shape: [2, 0], data: new Float64Array(0) }, [0, 0]);
  expect(none.core.shape).toEqual([0, 0]);
});
