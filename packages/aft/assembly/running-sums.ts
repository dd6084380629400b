// What a channel has gathered from the sources so far, in a slot: the largest key, and numerator and denominator relative to it; the sums of the last
// few steps stand apart, for precision.
import { expNegative, madd, maximum, splat } from '../../tensor-ops/assembly/math';

export const LARGEST: usize = 0;
export const NUMERATOR: usize = 16;
export const DENOMINATOR: usize = 32;
const SPAN_NUMERATOR: usize = 48;
const SPAN_DENOMINATOR: usize = 64;

/** Takes in one source. The exponent is minus the distance of key and largest key, so one exponential serves both sides. */
// @ts-ignore: decorator
@inline
export function gather(key: v128, value: v128, s: usize): void {
  const largest = v128.load(s, LARGEST);
  const rises = f32x4.gt(key, largest);
  const ratio = expNegative(f32x4.neg(f32x4.abs(f32x4.sub(key, largest))));
  const keep = v128.bitselect(ratio, splat(1.0), rises);
  const weight = v128.bitselect(splat(1.0), ratio, rises);
  v128.store(s, maximum(largest, key), LARGEST);
  v128.store(s, f32x4.mul(v128.load(s, NUMERATOR), keep), NUMERATOR);
  v128.store(s, f32x4.mul(v128.load(s, DENOMINATOR), keep), DENOMINATOR);
  v128.store(s, madd(weight, value, f32x4.mul(v128.load(s, SPAN_NUMERATOR), keep)), SPAN_NUMERATOR);
  v128.store(s, madd(v128.load(s, SPAN_DENOMINATOR), keep, weight), SPAN_DENOMINATOR);
}

// @ts-ignore: decorator
@inline
export function wholeNumerator(s: usize): v128 {
  return f32x4.add(v128.load(s, NUMERATOR), v128.load(s, SPAN_NUMERATOR));
}

// @ts-ignore: decorator
@inline
export function wholeDenominator(s: usize): v128 {
  return f32x4.add(v128.load(s, DENOMINATOR), v128.load(s, SPAN_DENOMINATOR));
}

/** Adds the sums of the last steps to those before. */
// @ts-ignore: decorator
@inline
export function closeSums(s: usize): void {
  v128.store(s, wholeNumerator(s), NUMERATOR);
  v128.store(s, wholeDenominator(s), DENOMINATOR);
  v128.store(s, splat(0.0), SPAN_NUMERATOR);
  v128.store(s, splat(0.0), SPAN_DENOMINATOR);
}
