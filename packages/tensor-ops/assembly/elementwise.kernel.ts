// Functions of each element, for tfjs's kernels of the same names: out[i] = f(x[i]), i < count. Several vectors are in flight, for one would wait for itself.
import * as math from './math';
import { normalTail } from './normal-tail';

function expCall(x: v128): v128 {
  return math.exp(x);
}

export function exp(x: usize, out: usize, count: i32): void {
  let i = 0;
  for (; i + 16 <= count; i += 16) {
    const at = <usize>i << 2;
    const first = math.exp(v128.load(x + at));
    const second = math.exp(v128.load(x + at, 16));
    const third = math.exp(v128.load(x + at, 32));
    const fourth = math.exp(v128.load(x + at, 48));
    v128.store(out + at, first);
    v128.store(out + at, second, 16);
    v128.store(out + at, third, 32);
    v128.store(out + at, fourth, 48);
  }
  for (; i < count; i += 4) math.storeLanes(out + (<usize>i << 2), expCall(math.loadLanes(x + (<usize>i << 2), count - i)), count - i);
}

function tanhCall(x: v128): v128 {
  return math.tanh(x);
}

export function tanh(x: usize, out: usize, count: i32): void {
  let i = 0;
  for (; i + 8 <= count; i += 8) {
    const at = <usize>i << 2;
    const first = math.tanh(v128.load(x + at));
    const second = math.tanh(v128.load(x + at, 16));
    v128.store(out + at, first);
    v128.store(out + at, second, 16);
  }
  for (; i < count; i += 4) math.storeLanes(out + (<usize>i << 2), tanhCall(math.loadLanes(x + (<usize>i << 2), count - i)), count - i);
}

/** Relative error <= 2e-7: 1 - erfc(x) cancels near 0, and there an odd polynomial serves. NaN stays NaN. */
// @ts-ignore: decorator
@inline
function erfOf(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  const square = f32x4.mul(x, x);
  const tail = normalTail(f32x4.mul(magnitude, math.splat(1.4142135623730951)), math.exp(f32x4.neg(square)));
  const far = f32x4.sub(math.splat(1.0), f32x4.add(tail, tail));
  let p = math.madd(math.splat(0.0044785849450136835), square, math.splat(-0.02664402824058117));
  p = math.madd(p, square, math.splat(0.11281631408537851));
  p = math.madd(p, square, math.splat(-0.3761262750327822));
  p = math.madd(p, square, math.splat(1.1283791670173595));
  const sign = v128.and(x, i32x4.splat(0x80000000));
  return v128.bitselect(f32x4.mul(p, x), v128.or(far, sign), f32x4.lt(magnitude, math.splat(0.625)));
}

function erfCall(x: v128): v128 {
  return erfOf(x);
}

export function erf(x: usize, out: usize, count: i32): void {
  let i = 0;
  for (; i + 8 <= count; i += 8) {
    const at = <usize>i << 2;
    const first = erfOf(v128.load(x + at));
    const second = erfOf(v128.load(x + at, 16));
    v128.store(out + at, first);
    v128.store(out + at, second, 16);
  }
  for (; i < count; i += 4) math.storeLanes(out + (<usize>i << 2), erfCall(math.loadLanes(x + (<usize>i << 2), count - i)), count - i);
}
