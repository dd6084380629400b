// Adam with decoupled weight decay for a whole set of parameters in one call; see src/adam-w/adam-w.ts for the formula.
import { loadLanes, madd, nmadd, splat, storeLanes } from './math';

/** Bytes of one row of the table: the addresses of a parameter, its gradient and its new values, its number of elements, whether it decays. */
const ROW: usize = 20;

/**
 * @param table - `count` rows. @param mean - the moments of all parameters one behind the other, as `square`, `newMean` and `newSquare`.
 * @param scale - address of the factor of all gradients, or 0.
 */
export function adamW(
  table: usize, count: i32, mean: usize, square: usize, newMean: usize, newSquare: usize, scale: usize, keptMean: f32,
  takenMean: f32, keptSquare: f32, takenSquare: f32, deviationScale: f32, epsilon: f32, stepSize: f32, decay: f32,
): void {
  const factor = scale ? load<f32>(scale) : 1.0;
  let start: usize = 0;
  for (let i: i32 = 0; i < count; i++) {
    const row = table + ROW * i;
    const parameter: usize = load<u32>(row);
    const gradient: usize = load<u32>(row, 4);
    const updated: usize = load<u32>(row, 8);
    const size: i32 = load<i32>(row, 12);
    const kept = load<u32>(row, 16) ? splat(decay) : splat(1.0);
    for (let k: i32 = 0; k < size; k += 4) {
      const at = <usize>k << 2;
      const moment = start + at;
      const left = size - k;
      const g = f32x4.mul(loadLanes(gradient + at, left), splat(factor));
      const m = madd(splat(keptMean), loadLanes(mean + moment, left), f32x4.mul(splat(takenMean), g));
      const v = madd(splat(keptSquare), loadLanes(square + moment, left), f32x4.mul(f32x4.mul(splat(takenSquare), g), g));
      const step = f32x4.div(m, madd(f32x4.sqrt(v), splat(deviationScale), splat(epsilon)));
      storeLanes(newMean + moment, m, left);
      storeLanes(newSquare + moment, v, left);
      storeLanes(updated + at, nmadd(splat(stepSize), step, f32x4.mul(kept, loadLanes(parameter + at, left))), left);
    }
    start += <usize>size << 2;
  }
}
