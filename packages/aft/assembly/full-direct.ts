// AFT-full element by element, for what the products cannot hold. An exponent is the sum of two integers, which is exact, and of two rests: keys and
// biases of thousands that all but cancel lose no digit.
import { exp, madd, maximum, splat, sumLanes } from '../../tensor-ops/assembly/math';
import { addChannels, BLOCK, call, FLOOR, fourFrom, channelsOf, take } from './full-call';
import { logCall } from './slots';
import { exists, NONE } from './sources';

/** What `sumDirectly` and `mixDirectly` found, one vector each. */
export namespace direct {
  export let context: usize = 0;
  /** Log of the denominator relative to `largestKey`. */
  export let logNormalizer: usize = 0;
  /** The integer within 1 of the largest exponent, and the denominator relative to it. */
  export let largest: usize = 0;
  export let denominator: usize = 0;
  export let numerator: usize = 0;
}

export function takeDirect(): void {
  direct.context = take(32);
  direct.logNormalizer = direct.context + 16;
  direct.largest = direct.context + 32;
  direct.denominator = direct.context + 48;
  direct.numerator = direct.context + 64;
}

/** Sources that target `t` may see, masked ones included. */
// @ts-ignore: decorator
@inline
function seenBy(t: i32): i32 {
  return call.causal ? t + 1 : call.source;
}

// @ts-ignore: decorator
@inline
function wholeExponent(key: v128, bias: v128): v128 {
  return f32x4.add(f32x4.nearest(key), f32x4.nearest(bias));
}

// @ts-ignore: decorator
@inline
function exponent(key: v128, bias: v128, largest: v128): v128 {
  const rest = f32x4.add(f32x4.sub(key, f32x4.nearest(key)), f32x4.sub(bias, f32x4.nearest(bias)));
  return f32x4.add(f32x4.sub(wholeExponent(key, bias), largest), rest);
}

/** Whether some weight is not 0, or NaN: what is below FLOOR is 0, so that no sum begins with subnormal terms. */
// @ts-ignore: decorator
@inline
function counts(x: v128): bool {
  return v128.any_true(v128.not(f32x4.lt(x, splat(FLOOR))));
}

// @ts-ignore: decorator
@inline
function weightOf(x: v128): v128 {
  return v128.andnot(exp(x), f32x4.lt(x, splat(FLOOR)));
}

/** Sums over the sources from `from` to `until`, of four channels of one target. `row` is its row of the bias. */
export function sumDirectly(b: i32, group: i32, row: usize, from: i32, until: i32): void {
  const first = <usize>b * call.source;
  const mask = call.mask;
  const count = call.dim - (group << 2);
  const step = <usize>call.dim << 2;
  const keys = call.key + step * first + (<usize>group << 4);
  const values = call.value + step * first + (<usize>group << 4);
  let largest = splat(NONE);
  for (let j = from, key = keys + step * from, bias = row + (<usize>from << 2); j < until; j++, key += step, bias += 4) {
    if (!exists(mask, first + j)) continue;
    largest = maximum(largest, wholeExponent(fourFrom(key, count), v128.load32_splat(bias)));
  }
  let numerator = splat(0.0);
  let denominator = splat(0.0);
  for (let begin = from; begin < until; begin += BLOCK) {
    let n = splat(0.0);
    let d = splat(0.0);
    const end = min(begin + BLOCK, until);
    for (let j = begin, at = step * begin; j < end; j++, at += step) {
      if (!exists(mask, first + j)) continue;
      const x = exponent(fourFrom(keys + at, count), v128.load32_splat(row + (<usize>j << 2)), largest);
      const weight = weightOf(x);
      n = madd(weight, fourFrom(values + at, count), n);
      d = f32x4.add(d, weight);
    }
    numerator = f32x4.add(numerator, n);
    denominator = f32x4.add(denominator, d);
  }
  v128.store(direct.largest, largest);
  v128.store(direct.numerator, numerator);
  v128.store(direct.denominator, denominator);
}

/** Four channels of target `t`. Where there is no source, the context is 0 and its log NONE. */
export function mixDirectly(b: i32, t: i32, group: i32, row: usize, largestKey: v128): void {
  sumDirectly(b, group, row, 0, seenBy(t));
  const denominator = v128.load(direct.denominator);
  const none = f32x4.eq(denominator, splat(0.0));
  v128.store(direct.context, v128.andnot(f32x4.div(v128.load(direct.numerator), denominator), none));
  const logs = f32x4.add(f32x4.sub(v128.load(direct.largest), largestKey), logCall(denominator));
  v128.store(direct.logNormalizer, v128.bitselect(splat(NONE), logs, none));
}

/**
 * Adds what four channels of one target give to the gradients of keys, values and its row of the bias.
 *
 * @param received - gradient of the context; 0 in channels that are not meant.
 */
export function spreadDirectly(
  b: i32, t: i32, group: i32, row: usize, received: v128, context: v128, dKey: usize, dValue: usize, dRow: usize,
): void {
  const seen = seenBy(t);
  sumDirectly(b, group, row, 0, seen);
  const share = f32x4.div(received, v128.load(direct.denominator));
  spreadOver(b, group, row, 0, seen, v128.load(direct.largest), received, share, context, dKey, dValue, dRow);
}

/**
 * The same over the sources from `from` to `until`.
 *
 * @param share - what is received divided by the denominator, which is relative to e^`largest`, a whole number.
 */
export function spreadOver(
  b: i32, group: i32, row: usize, from: i32, until: i32, largest: v128, received: v128, share: v128, context: v128,
  dKey: usize, dValue: usize, dRow: usize,
): void {
  // By selection: a channel that is not meant may hold anything.
  const meant = f32x4.ne(received, splat(0.0));
  const first = <usize>b * call.source;
  for (let j = from; j < until; j++) {
    if (!exists(call.mask, first + j)) continue;
    const x = exponent(channelsOf(call.key, first + j, group), v128.load32_splat(row + (<usize>j << 2)), largest);
    if (!counts(x)) continue;
    const toValue = v128.and(f32x4.mul(weightOf(x), share), meant);
    const toKey = v128.and(f32x4.mul(toValue, f32x4.sub(channelsOf(call.value, first + j, group), context)), meant);
    addChannels(dValue, first + j, group, toValue);
    addChannels(dKey, first + j, group, toKey);
    const at = dRow + (<usize>j << 2);
    store<f32>(at, load<f32>(at) + sumLanes(toKey));
  }
}
