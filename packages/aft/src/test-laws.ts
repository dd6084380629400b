import type { ShapedValues, TestForm } from '@mixfold/testing';
import { expect } from 'vitest';

/**
 * Without a gate an output lies between the values that its target sees, but for rounding.
 *
 * @param output - numbers of the shape of `value`, `[batch, time, dim]`. @param causal - a target sees the sources up to itself; else all.
 */
export function expectBetweenValues(form: TestForm, output: ArrayLike<number>, value: ShapedValues, causal: boolean): void {
  const [, time, dim] = value.shape as [number, number, number];
  const rounding = 4 * 2 ** -23 * (form.name === 'webgpu' ? 4 : 1);
  for (let i = 0; i < output.length; i++) {
    const t = Math.floor(i / dim) % time;
    const first = i - t * dim;
    const seen = Array.from({ length: causal ? t + 1 : time }, (_, source) => value.data[first + source * dim]!);
    const slack = rounding * Math.max(...seen.map(Math.abs));
    expect(output[i]).toBeGreaterThanOrEqual(Math.min(...seen) - slack);
    expect(output[i]).toBeLessThanOrEqual(Math.max(...seen) + slack);
  }
}
