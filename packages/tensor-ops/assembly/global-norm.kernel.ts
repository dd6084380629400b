// The common norm of a list of tensors. Squares are added in float64, so that neither rounding nor range counts.
import { loadLanes } from './math';

/** @param table - `count` rows of an address and a number of elements. @param norm - address of the result. */
export function globalNorm(table: usize, count: i32, norm: usize): void {
  let low = f64x2.splat(0.0);
  let high = f64x2.splat(0.0);
  for (let i: i32 = 0; i < count; i++) {
    const x: usize = load<u32>(table + (<usize>i << 3));
    const size: i32 = load<i32>(table + (<usize>i << 3), 4);
    for (let k: i32 = 0; k < size; k += 4) {
      const lanes = loadLanes(x + (<usize>k << 2), size - k);
      const first = f64x2.promote_low_f32x4(lanes);
      const second = f64x2.promote_low_f32x4(v128.shuffle<i32>(lanes, lanes, 2, 3, 2, 3));
      low = f64x2.add(low, f64x2.mul(first, first));
      high = f64x2.add(high, f64x2.mul(second, second));
    }
  }
  const sum = f64x2.add(low, high);
  store<f32>(norm, <f32>sqrt<f64>(f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)));
}
