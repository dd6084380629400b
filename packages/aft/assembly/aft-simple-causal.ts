// AFT-simple in which a target sees the sources up to its own time. What a channel has gathered are its largest key, numerator and
// denominator; the sums of the last few steps stand apart, for precision.
import { expm1Of, expNegative, expOf, expRest, expScale, log, madd, maximum, minimum, splat, twiceSlope } from '../../tensor-ops/assembly/math';
import { gated, gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { closeSums, DENOMINATOR, gather, LARGEST, NUMERATOR, wholeDenominator, wholeNumerator } from './running-sums';
import { clearSlots, expCall, SLOT } from './slots';
import { closesSpan, exists, logNormalizerOf, mean, NONE } from './sources';

/** `initialState` may be 0 for none; `context` and `logNormalizer` are both 0 when they are not wanted. */
export function causalForward(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  initialState: usize,
  output: usize,
  finalState: usize,
  context: usize,
  logNormalizer: usize,
  slots: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const row = <usize>dim << 2;
  const last = row - 16;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    const states = <usize>b * 3 * row;
    clearSlots(slots, dim);
    if (initialState != 0) {
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        const given = initialState + states + min(c, last);
        v128.store(s, v128.load(given), LARGEST);
        v128.store(s, v128.load(given + row), NUMERATOR);
        v128.store(s, v128.load(given + 2 * row), DENOMINATOR);
      }
    }
    for (let t: i32 = 0; t < time; t++) {
      const start = (first + t) * row;
      // Two loops: in one, the registers do not hold the constants of all that is computed.
      if (exists(mask, first + t)) {
        for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
          const i = start + min(c, last);
          gather(v128.load(key + i), v128.load(value + i), s);
        }
      }
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        const i = start + min(c, last);
        const denominator = wholeDenominator(s);
        let mixed = mean(wholeNumerator(s), denominator);
        if (context != 0) {
          v128.store(context + i, mixed);
          v128.store(logNormalizer + i, logNormalizerOf(v128.load(s, LARGEST), denominator, log(denominator)));
        }
        if (activation != NO_GATE) mixed = gated(mixed, v128.load(query + i), activation);
        v128.store(output + i, mixed);
      }
      if (!closesSpan(t, time)) continue;
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) closeSums(s);
    }
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
      const target = finalState + states + min(c, last);
      v128.store(target, v128.load(s, LARGEST));
      v128.store(target + row, v128.load(s, NUMERATOR));
      v128.store(target + 2 * row, v128.load(s, DENOMINATOR));
    }
  }
}

// A slot of `causalBackward`, relative to the normalizer of the target after this one: what the later targets received, the same times their
// contexts, each in a large and a small part; and that normalizer. Normalizers only grow with time, so sums only decay.
const RECEIVED: usize = 0;
const WEIGHED: usize = 16;
const SMALL: usize = 32;
const NORMALIZER: usize = 64;

/**
 * Continues a sum that decays by `1 + change` and takes in `term`. While it changes little only its small part moves, so that rounding does
 * not add up over thousands of steps; otherwise the large part is folded in.
 */
// @ts-ignore: decorator
@inline
function decay(sum: usize, near: v128, change: v128, factor: v128, term: v128): void {
  const large = v128.load(sum);
  const small = v128.load(sum, SMALL);
  const whole = f32x4.add(large, small);
  const moved = f32x4.add(small, madd(whole, change, term));
  v128.store(sum, v128.and(large, near));
  v128.store(sum, v128.bitselect(moved, madd(whole, factor, term), near), SMALL);
}

// @ts-ignore: decorator
@inline
function wholeSum(sum: usize): v128 {
  return f32x4.add(v128.load(sum), v128.load(sum, SMALL));
}

/** From the last target to the first. `initialState` and `dInitialState` are both 0 where there was no state. */
export function causalBackward(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  initialState: usize,
  finalState: usize,
  context: usize,
  logNormalizer: usize,
  dOutput: usize,
  dFinalState: usize,
  dQuery: usize,
  dKey: usize,
  dValue: usize,
  dInitialState: usize,
  slots: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const row = <usize>dim << 2;
  const last = row - 16;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    const states = <usize>b * 3 * row;
    clearSlots(slots, dim);
    // The final state counts as one more target; its largest key is held constant, for it cancels in every use of a state.
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
      const i = states + min(c, last);
      v128.store(s, v128.load(dFinalState + i + row), RECEIVED);
      v128.store(s, f32x4.neg(v128.load(dFinalState + i + 2 * row)), WEIGHED);
      v128.store(s, v128.load(finalState + i), NORMALIZER);
    }
    for (let t = time - 1; t >= 0; t--) {
      const start = (first + t) * row;
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        const i = start + min(c, last);
        const mixed = v128.load(context + i);
        let gradient = v128.load(dOutput + i);
        let slope = splat(0.0);
        if (activation != NO_GATE) {
          const q = v128.load(query + i);
          const exponential = gateExponential(q, activation);
          const gate = gateOf(q, exponential, activation);
          slope = f32x4.mul(f32x4.mul(gradient, mixed), gateSlope(q, exponential, gate, activation));
          gradient = f32x4.mul(gradient, gate);
        }
        v128.store(dQuery + i, slope);
        const normalizer = v128.load(logNormalizer + i);
        const exponent = f32x4.sub(normalizer, v128.load(s, NORMALIZER));
        v128.store(s, normalizer, NORMALIZER);
        const near = f32x4.lt(f32x4.abs(exponent), splat(0.34));
        const clamped = minimum(maximum(exponent, splat(-87.3)), splat(87.0));
        const scale = expScale(clamped);
        const rest = expRest(clamped, scale);
        const slopeOfExp = twiceSlope(rest);
        const factor = expOf(scale, rest, slopeOfExp);
        // Where it is used, the exponent is its own rest.
        const change = expm1Of(rest, slopeOfExp);
        decay(s + RECEIVED, near, change, factor, gradient);
        decay(s + WEIGHED, near, change, factor, f32x4.mul(gradient, mixed));
      }
      if (!exists(mask, first + t)) {
        memory.fill(dKey + start, 0, row);
        memory.fill(dValue + start, 0, row);
        continue;
      }
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        const i = start + min(c, last);
        const weight = expNegative(f32x4.sub(v128.load(key + i), v128.load(s, NORMALIZER)));
        const received = wholeSum(s + RECEIVED);
        v128.store(dValue + i, f32x4.mul(weight, received));
        v128.store(dKey + i, f32x4.mul(weight, f32x4.sub(f32x4.mul(v128.load(value + i), received), wholeSum(s + WEIGHED))));
      }
    }
    if (initialState == 0) continue;
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
      const i = states + min(c, last);
      const largest = v128.load(initialState + i);
      const begun = f32x4.gt(largest, splat(NONE / 2));
      const factor = v128.and(expCall(f32x4.sub(largest, v128.load(s, NORMALIZER))), begun);
      v128.store(dInitialState + i, splat(0.0));
      v128.store(dInitialState + i + row, f32x4.mul(factor, wholeSum(s + RECEIVED)));
      v128.store(dInitialState + i + 2 * row, f32x4.neg(f32x4.mul(factor, wholeSum(s + WEIGHED))));
    }
  }
}
