import { describe, expect, test } from 'vitest';
import { assertClose, ClosenessError } from './assert-close';

const expected = { shape: [2, 3], data: [1, 2, 3, 4, 5, 6] };

describe('assertClose', () => {
  test('names the tensor, the worst index, both values and the bound', async () => {
    const failure = assertClose('output', { shape: [2, 3], data: [1, 2, 3, 4, 5.5, 6] }, expected, { relative: 1e-6 });
    await expect(failure).rejects.toThrow(ClosenessError);
    await expect(failure).rejects.toThrow(
      /output: rms ratio is 5\.\d+e-2, bound 1\.000e-6\n {2}worst at \[1, 1\]: actual 5\.5, expected 5, error 5\.000e-1/,
    );
  });

  test('passes within the bound', async () => {
    await assertClose('output', [1, 2, 3, 4, 5, 6 + 1e-6], expected, { relative: 1e-6 });
    await assertClose('tiny', [1e-8], [0], { relative: 1e-6 });
    await assertClose('output', [1, 2, 3, 4, 5, 6.0006], expected, { largest: 1.1e-4 });
    await assertClose('small beside others', [0, 1e-6], [0, 2e-6], { relative: 1e-6, rmsFloor: 1 });
  });

  test('bounds the largest error for hostile values', async () => {
    await expect(assertClose('output', [1, 2, 3, 4, 5, 6.006], expected, { largest: 1e-4 })).rejects.toThrow(/max \|error\|/);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('fails on %s on either side', async (bad) => {
    await expect(assertClose('x', [1, bad], [1, 2], { relative: 1e9 })).rejects.toThrow(
      /x \(actual\): \w+ at \[1\], the other side has 2; 1 of 2/,
    );
    await expect(assertClose('x', [1, 2], [1, bad], { relative: 1e9 })).rejects.toThrow(/x \(expected\)/);
    await expect(assertClose('x', [bad], [bad], { largest: 1e9 })).rejects.toThrow(/not finite/);
  });

  test('compares shapes and sizes', async () => {
    await expect(assertClose('x', { shape: [3, 2], data: expected.data }, expected, { relative: 1 })).rejects.toThrow(
      'x: shape is [3,2], expected [2,3]',
    );
    await expect(assertClose('x', [1], [1, 2], { relative: 1 })).rejects.toThrow('x: 1 values, expected 2');
    await assertClose('empty', [], [], { relative: 1e-6 });
  });

  test('takes one rule', async () => {
    await expect(assertClose('x', [1], [1], {})).rejects.toThrow(/one of relative and largest/);
    await expect(assertClose('x', [1], [1], { relative: 1, largest: 1 })).rejects.toThrow(/one of relative and largest/);
  });
});
