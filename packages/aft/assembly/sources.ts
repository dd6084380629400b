// What every AFT kernel says about its sources and sums.
import { splat } from '../../tensor-ops/assembly/math';

/** Stands for minus infinity in a maximum: `NONE - NONE` is 0. */
export const NONE: f32 = -1e30;

/** Partial sums are closed after this many steps, so that rounding grows with time / SPAN + SPAN and not with time. */
export const SPAN: i32 = 64;

/** Whether source `index` exists; a mask of 0 means that all do. */
// @ts-ignore: decorator
@inline
export function exists(mask: usize, index: usize): bool {
  return mask == 0 || load<f32>(mask + (index << 2)) != 0.0;
}

/** Whether the sums of the last steps are to be closed after step `t`. */
// @ts-ignore: decorator
@inline
export function closesSpan(t: i32, time: i32): bool {
  return t % SPAN == SPAN - 1 || t == time - 1;
}

/** `numerator / denominator`, and 0 where nothing was summed. */
// @ts-ignore: decorator
@inline
export function mean(numerator: v128, denominator: v128): v128 {
  return v128.andnot(f32x4.div(numerator, denominator), f32x4.eq(denominator, splat(0.0)));
}

/** The log of a sum relative to `largest`, and NONE where nothing was summed; `logSum` is the log of `denominator`. */
// @ts-ignore: decorator
@inline
export function logNormalizerOf(largest: v128, denominator: v128, logSum: v128): v128 {
  return v128.bitselect(splat(NONE), f32x4.add(largest, logSum), f32x4.eq(denominator, splat(0.0)));
}
