/** The upper 24 random bits of the elements at `place`; the same as `randomBits` in src/dropout/random-bits.ts. */
// @ts-ignore: decorator
@inline
export function randomBits(place: v128, first: i32, second: i32): v128 {
  let h = i32x4.add(i32x4.mul(place, i32x4.splat(0x9e3779b9)), i32x4.splat(first));
  h = i32x4.mul(v128.xor(h, i32x4.shr_u(h, 16)), i32x4.splat(0x85ebca6b));
  h = i32x4.add(v128.xor(h, i32x4.shr_u(h, 13)), i32x4.splat(second));
  h = i32x4.mul(h, i32x4.splat(0xc2b2ae35));
  return i32x4.shr_u(v128.xor(h, i32x4.shr_u(h, 16)), 8);
}
