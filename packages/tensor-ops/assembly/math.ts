// Vector mathematics for every kernel: four float32 lanes, no tables, no branches, no data segment.
// Polynomials are minimax in relative error. In the simd128 build every function gives the same bits on every engine.

/** `a * b + c`. The relaxed build may round once (a fused multiply-add where the processor has one), simd128 rounds twice. */
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** `c - a * b`, rounded as `madd`. */
// @ts-ignore: decorator
@inline
export function nmadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/**
 * Lane-wise maximum in one instruction. A NaN in `a` is kept, one in `b` is dropped: put the data in `a`, the bound in `b`.
 */
// @ts-ignore: decorator
@inline
export function maximum(a: v128, b: v128): v128 {
  return f32x4.pmax(a, b);
}

/** Lane-wise minimum; NaN as in `maximum`. */
// @ts-ignore: decorator
@inline
export function minimum(a: v128, b: v128): v128 {
  return f32x4.pmin(a, b);
}

/**
 * e^x. Relative error <= 1.0e-7 where the result is at least 2^-125.5; exactly 0 for x below about -86.99 (no subnormal results);
 * +Infinity where e^x exceeds the largest float32; NaN stays NaN.
 */
// @ts-ignore: decorator
@inline
export function exp(x: v128): v128 {
  return expWithin(minimum(maximum(x, splat(-87.3)), splat(89.0)));
}

/** e^x for x <= 0, as `exp` and a little cheaper. */
// @ts-ignore: decorator
@inline
export function expNegative(x: v128): v128 {
  return expWithin(maximum(x, splat(-87.3)));
}

/** e^x for x from -87.3 to 89. */
// @ts-ignore: decorator
@inline
function expWithin(x: v128): v128 {
  const scale = expScale(x);
  const rest = expRest(x, scale);
  return expOf(scale, rest, twiceSlope(rest));
}

// The steps of e^x, for kernels that want e^x - 1 beside it. x = n ln 2 + rest, |rest| <= ln 2 / 2.

/** Adding 1.5 * 2^23 + 126 rounds to an integer and leaves n - 1 + 127 in the low bits, an exponent; at x = -87.3 it is 0, and so the result is. */
// @ts-ignore: decorator
@inline
export function expScale(x: v128): v128 {
  return madd(x, splat(1.44269504088896341), splat(12583038.0));
}

// @ts-ignore: decorator
@inline
export function expRest(x: v128, scale: v128): v128 {
  return expRestOf(x, f32x4.sub(scale, splat(12583038.0)));
}

// @ts-ignore: decorator
@inline
function expRestOf(x: v128, n: v128): v128 {
  // ln 2 in two parts; the first has few bits, so its product with n is exact in both builds.
  return nmadd(n, splat(-2.12194440e-4), nmadd(n, splat(0.693359375), x));
}

/** e^x 2^power, for x that makes it a normal number. */
// @ts-ignore: decorator
@inline
export function expTimesPower(x: v128, power: f32): v128 {
  const origin = splat(12583038.0 + power);
  const scale = madd(x, splat(1.44269504088896341), origin);
  const rest = expRestOf(x, f32x4.sub(scale, origin));
  return expOf(scale, rest, twiceSlope(rest));
}

/** e^x from its steps; `slope` is `twiceSlope(rest)`. */
// @ts-ignore: decorator
@inline
export function expOf(scale: v128, rest: v128, slope: v128): v128 {
  // 2 e^rest, for 2^n itself would overflow at n = 128 while the product is still finite.
  return f32x4.mul(madd(slope, rest, splat(2.0)), i32x4.shl(scale, 23));
}

/** e^rest - 1 from `twiceSlope(rest)`, with a relative error <= 2e-7 however small it is. */
// @ts-ignore: decorator
@inline
export function expm1Of(rest: v128, slope: v128): v128 {
  return f32x4.mul(f32x4.mul(slope, rest), splat(0.5));
}

/** 2 (e^r - 1) / r for |r| <= ln 2 / 2. */
// @ts-ignore: decorator
@inline
export function twiceSlope(r: v128): v128 {
  let p = madd(splat(0.0027628641380807967), r, splat(0.016737702277188717));
  p = madd(p, r, splat(0.08333680217469584));
  p = madd(p, r, splat(0.33333039046993557));
  p = madd(p, r, splat(0.9999998674610846));
  return madd(p, r, splat(2.0));
}

/** e^x - 1 for x <= 0.35, as `exp` above. Relative error <= 2e-7. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function expm1(x: v128): v128 {
  // Near 0 the difference cancels.
  return v128.bitselect(f32x4.sub(exp(x), splat(1.0)), expm1Of(x, twiceSlope(x)), f32x4.lt(x, splat(-0.34)));
}

/**
 * ln x for x >= 1.18e-38. Relative error <= 1e-7. +Infinity and NaN stay; what is smaller, 0 and negative numbers included, gives -Infinity.
 */
// @ts-ignore: decorator
@inline
export function log(x: v128): v128 {
  // x = 2^e m, m in [sqrt(1/2), sqrt(2)): the offset moves the cut between exponents from 1 to sqrt(1/2).
  const offset = i32x4.splat(0x3f3504f3);
  const biased = i32x4.sub(x, offset);
  const e = f32x4.convert_i32x4_s(i32x4.shr_s(biased, 23));
  const m = i32x4.add(v128.and(biased, i32x4.splat(0x007fffff)), offset);
  const f = f32x4.sub(m, splat(1.0));
  let p = madd(splat(-0.07634510154746103), f, splat(0.12761586570840325));
  p = madd(p, f, splat(-0.13160181703254897));
  p = madd(p, f, splat(0.14201756629219414));
  p = madd(p, f, splat(-0.16623357283160814));
  p = madd(p, f, splat(0.20001226932831898));
  p = madd(p, f, splat(-0.2500082103682296));
  p = madd(p, f, splat(0.3333333170715641));
  const square = f32x4.mul(f, f);
  // ln 2 in two parts, the small one with the small terms.
  let tail = f32x4.mul(f32x4.mul(p, f), square);
  tail = madd(e, splat(-2.12194440e-4), tail);
  tail = nmadd(splat(0.5), square, tail);
  const value = madd(e, splat(0.693359375), f32x4.add(f, tail));
  const finite = v128.bitselect(value, x, f32x4.lt(x, splat(f32(Infinity))));
  return v128.bitselect(splat(f32(-Infinity)), finite, f32x4.lt(x, splat(1.17549435e-38)));
}

/** 1 / (1 + e^-x). Relative error <= 2e-7 for x >= -87; 0 below about -88.7. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  const one = splat(1.0);
  return f32x4.div(one, f32x4.add(one, exp(f32x4.neg(x))));
}

/** tanh x. Relative error <= 2e-7; +-1 for |x| beyond about 9. NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const sign = v128.and(x, i32x4.splat(0x80000000));
  const magnitude = v128.xor(x, sign);
  const one = splat(1.0);
  const two = splat(2.0);
  const far = f32x4.sub(one, f32x4.div(two, f32x4.add(exp(f32x4.mul(magnitude, two)), one)));
  // The difference above cancels near 0; there an odd polynomial serves.
  const square = f32x4.mul(x, x);
  let p = madd(splat(-0.0057042254195249715), square, splat(0.0206384329893748));
  p = madd(p, square, splat(-0.053739523605027296));
  p = madd(p, square, splat(0.13331440022151714));
  p = madd(p, square, splat(-0.3333328186661484));
  const near = madd(f32x4.mul(p, square), x, x);
  return v128.bitselect(near, v128.or(far, sign), f32x4.lt(magnitude, splat(0.625)));
}

/** e^x of one number by the vector code, so a remainder of a row gets the same bits as its body. */
// @ts-ignore: decorator
@inline
export function scalarExp(x: f32): f32 {
  return f32x4.extract_lane(exp(splat(x)), 0);
}

// @ts-ignore: decorator
@inline
export function scalarLog(x: f32): f32 {
  return f32x4.extract_lane(log(splat(x)), 0);
}

/** Loads `count` (1 to 4) floats; the other lanes are 0. Reads nothing past them. */
// @ts-ignore: decorator
@inline
export function loadLanes(pointer: usize, count: i32): v128 {
  if (count >= 4) return v128.load(pointer);
  if (count == 1) return v128.load32_zero(pointer);
  const pair = v128.load64_zero(pointer);
  return count == 2 ? pair : v128.load_lane<f32>(pointer, pair, 2, 8);
}

/** Stores the first `count` (1 to 4) lanes. Writes nothing past them. */
// @ts-ignore: decorator
@inline
export function storeLanes(pointer: usize, x: v128, count: i32): void {
  if (count >= 4) {
    v128.store(pointer, x);
  } else if (count == 1) {
    v128.store_lane<f32>(pointer, x, 0);
  } else {
    v128.store_lane<i64>(pointer, x, 0);
    if (count == 3) v128.store_lane<f32>(pointer, x, 2, 8);
  }
}

/** The sum of the four lanes, always in the order (0 + 1) + (2 + 3). */
// @ts-ignore: decorator
@inline
export function sumLanes(x: v128): f32 {
  return (f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1)) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3));
}
