import { describe, expect, test } from 'vitest';
import { assertClose } from './assert-close';
import { numericalGradient } from './numerical-gradient';

describe('numericalGradient', () => {
  test('of a function with a known gradient', async () => {
    const inputs = { x: [0.5, -1.2, 3], y: [2, 0.1, -0.7] };
    const cotangent = [1, -2, 0.5];
    const { x, y } = numericalGradient((at) => at.x.map((value, i) => Math.exp(value) * Math.sin(at.y[i]!)), inputs, {
      cotangent,
    });
    await assertClose(
      'x',
      x!,
      inputs.x.map((v, i) => cotangent[i]! * Math.exp(v) * Math.sin(inputs.y[i]!)),
      { relative: 1e-10 },
    );
    await assertClose(
      'y',
      y!,
      inputs.x.map((v, i) => cotangent[i]! * Math.exp(v) * Math.cos(inputs.y[i]!)),
      { relative: 1e-10 },
    );
  });

  test('of a scalar function, of chosen inputs only', () => {
    const gradient = numericalGradient(({ a, b }) => a[0]! * b[0]!, { a: [3], b: [4] }, { of: ['a'] });
    expect(Object.keys(gradient)).toEqual(['a']);
    expect(gradient.a![0]).toBeCloseTo(4, 9);
  });

  test('refuses an unknown input and a cotangent of another size', () => {
    expect(() => numericalGradient(() => 0, { a: [1] }, { of: ['b'] })).toThrow("no input 'b' among a");
    expect(() => numericalGradient(({ a }) => a, { a: [1] }, { cotangent: [1, 2] })).toThrow(
      'cotangent has 2 values, the output 1',
    );
  });
});
