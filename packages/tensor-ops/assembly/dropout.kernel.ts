// Elements kept, and scaled, where their random bits reach a threshold; 0 elsewhere.
import { loadLanes, splat, storeLanes } from './math';

/** The upper 24 random bits of the elements at `place`; the same as `randomBits` in src/dropout/random-bits.ts. */
// @ts-ignore: decorator
@inline
function randomBits(place: v128, first: i32, second: i32): v128 {
  let h = i32x4.add(i32x4.mul(place, i32x4.splat(0x9e3779b9)), i32x4.splat(first));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 16)), i32x4.splat(0x85ebca6b));
  h = i32x4.add(v128.xor(h, i32x4.shr_u(h, 13)), i32x4.splat(second));
  h = i32x4.mul(h, i32x4.splat(0xc2b2ae35));
  return i32x4.shr_u(v128.xor(h, i32x4.shr_u(h, 16)), 8);
}

export function dropout(x: usize, output: usize, size: i32, first: i32, second: i32, threshold: i32, scale: f32): void {
  let places = i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(0), 1, 1), 2, 2), 3, 3);
  for (let i: i32 = 0; i < size; i += 4) {
    const at = <usize>i << 2;
    const kept = i32x4.ge_s(randomBits(places, first, second), i32x4.splat(threshold));
    storeLanes(output + at, v128.and(f32x4.mul(loadLanes(x + at, size - i), splat(scale)), kept), size - i);
    places = i32x4.add(places, i32x4.splat(4));
  }
}
