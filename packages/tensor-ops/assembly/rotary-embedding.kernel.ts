// Pairs of channels turned by an angle per time and pair. A row of `table` holds the cosines of all pairs, then their sines.
import { loadLanes, nmadd, madd, splat, storeLanes } from './math';

/** Each of the first two lanes twice. */
// @ts-ignore: decorator
@inline
function doubled(x: v128): v128 {
  return v128.shuffle<i32>(x, x, 0, 0, 1, 1);
}

/** Turns backwards if `sign` is -1. A pair is two neighbouring channels, or, in halves, a channel and the one half a row further. */
export function rotate(x: usize, table: usize, output: usize, sequences: i32, time: i32, dim: i32, halves: bool, sign: f32): void {
  const row = <usize>dim << 2;
  const half = dim >> 1;
  const apart = <usize>half << 2;
  // The first of a pair takes minus the sine.
  const signs = f32x4.replace_lane(f32x4.replace_lane(splat(sign), 0, -sign), 2, -sign);
  for (let s: i32 = 0; s < sequences; s++) {
    for (let t: i32 = 0; t < time; t++) {
      const begin = (<usize>s * time + t) * row;
      const angles = table + row * t;
      if (halves) {
        for (let i: i32 = 0; i < half; i += 4) {
          const at = begin + (<usize>i << 2);
          const lanes = half - i;
          const cosine = loadLanes(angles + (<usize>i << 2), lanes);
          const sine = f32x4.mul(loadLanes(angles + apart + (<usize>i << 2), lanes), splat(sign));
          const a = loadLanes(x + at, lanes);
          const b = loadLanes(x + at + apart, lanes);
          storeLanes(output + at, nmadd(b, sine, f32x4.mul(a, cosine)), lanes);
          storeLanes(output + at + apart, madd(a, sine, f32x4.mul(b, cosine)), lanes);
        }
      } else {
        for (let i: i32 = 0; i < dim; i += 4) {
          const at = begin + (<usize>i << 2);
          const lanes = dim - i;
          const pair = angles + (<usize>i << 1);
          const cosine = doubled(loadLanes(pair, min(2, half - (i >> 1))));
          const sine = f32x4.mul(doubled(loadLanes(pair + apart, min(2, half - (i >> 1)))), signs);
          const value = loadLanes(x + at, lanes);
          storeLanes(output + at, madd(v128.shuffle<i32>(value, value, 1, 0, 3, 2), sine, f32x4.mul(value, cosine)), lanes);
        }
      }
    }
  }
}
