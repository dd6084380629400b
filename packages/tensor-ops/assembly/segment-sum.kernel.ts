import { loadLanes, storeLanes } from './math';

/**
 * out[ids[i]] += values[i] for rows of `width` 4-byte numbers, after clearing `out`. A row whose id lies outside [0, segments) is dropped.
 * Rows are added in order.
 */
export function segmentSum(values: usize, ids: usize, rows: i32, width: i32, out: usize, segments: i32, isInteger: bool): void {
  const row = <usize>width << 2;
  memory.fill(out, 0, row * segments);
  for (let i = 0; i < rows; i++) {
    const id = load<i32>(ids + (<usize>i << 2));
    // Unsigned, a negative id is a large one.
    if (<u32>id < <u32>segments) {
      const from = values + row * i;
      const to = out + row * id;
      for (let j = 0; j < width; j += 4) {
        const at = <usize>j << 2;
        const count = width - j;
        const x = loadLanes(from + at, count);
        const sum = loadLanes(to + at, count);
        storeLanes(to + at, isInteger ? i32x4.add(sum, x) : f32x4.add(sum, x), count);
      }
    }
  }
}
