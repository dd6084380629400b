// Elements kept, and scaled, where their random bits reach a threshold; 0 elsewhere.
import { loadLanes, splat, storeLanes } from './math';
import { randomBits } from './random-bits';

export function dropout(x: usize, output: usize, size: i32, first: i32, second: i32, threshold: i32, scale: f32): void {
  let places = i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(0), 1, 1), 2, 2), 3, 3);
  for (let i: i32 = 0; i < size; i += 4) {
    const at = <usize>i << 2;
    const kept = i32x4.ge_s(randomBits(places, first, second), i32x4.splat(threshold));
    storeLanes(output + at, v128.and(f32x4.mul(loadLanes(x + at, size - i), splat(scale)), kept), size - i);
    places = i32x4.add(places, i32x4.splat(4));
  }
}
