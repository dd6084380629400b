// What kernels over rows of any width share.

/** Elements of a row that one partial sum takes in, so that rounding does not grow with the width. */
export const SPAN: i32 = 512;

/** All bits of the first `count` lanes. */
// @ts-ignore: decorator
@inline
export function lanesBelow(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
}
