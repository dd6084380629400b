import { describe, expect, test } from 'vitest';
import { SeededRandom } from './seeded-random';

describe('SeededRandom', () => {
  test('repeats itself, in float32', () => {
    const [a, b] = [new SeededRandom(7).normals([3, 4]), new SeededRandom(7).normals([3, 4])];
    expect(a).toEqual(b);
    expect(a.data).toEqual(Float64Array.from(Float32Array.from(a.data)));
  });

  test('has the moments it claims', () => {
    const random = new SeededRandom(3);
    const { data } = random.normals([20_000], 2);
    const mean = data.reduce((sum, x) => sum + x, 0) / data.length;
    const variance = data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length;
    expect(Math.abs(mean)).toBeLessThan(0.05);
    expect(Math.abs(variance - 4)).toBeLessThan(0.15);
    expect(new SeededRandom(3).mask([1000]).data.every((x) => x === 0 || x === 1)).toBe(true);
  });
});
