import { loadLanes, storeLanes } from './math';

/** Adds to a sum and carries the rounding error into the next addition. */
// @ts-ignore: decorator
@inline
export function accumulate(sum: usize, lost: usize, part: v128, lanes: i32): void {
  const before = loadLanes(sum, lanes);
  const term = f32x4.sub(part, loadLanes(lost, lanes));
  const next = f32x4.add(before, term);
  const error = f32x4.sub(f32x4.sub(next, before), term);
  storeLanes(lost, v128.and(error, f32x4.eq(error, error)), lanes);
  storeLanes(sum, next, lanes);
}
