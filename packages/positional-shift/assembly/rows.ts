import { loadLanes, storeLanes } from '../../tensor-ops/assembly/math';

/** Rows that are added one after the other; longer sums are made of such sums, so that rounding does not grow with their number. */
const SPAN: i32 = 64;

/** to = to + the sum of `count` rows of `floats`, `step` bytes apart. */
export function addRows(from: usize, step: usize, count: i32, to: usize, floats: i32): void {
  for (let begin: i32 = 0; begin < count; begin += SPAN) {
    const stop = min(SPAN, count - begin);
    for (let c: i32 = 0; c < floats; c += 4) {
      const lanes = floats - c;
      const at = <usize>c << 2;
      let sum = f32x4.splat(0);
      let row = from + at;
      for (let i = 0; i < stop; i++) {
        sum = f32x4.add(sum, loadLanes(row, lanes));
        row += step;
      }
      storeLanes(to + at, f32x4.add(loadLanes(to + at, lanes), sum), lanes);
    }
    from += step * SPAN;
  }
}
