// AFT-simple in which a target sees the sources up to its own time. What a channel has gathered, its largest key, numerator and
// denominator, stands in three rows of slots, and the sums of the last few steps in two more, for precision.
import { exp, expm1Near, expNegative, log, madd, maximum, splat } from '../../tensor-ops/assembly/math';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { expCall, slotBytes, vectorAt } from './lanes';
import { closeSums, closesSpan, exists, fillNone, logNormalizerOf, mean, NONE } from './sources';

/** Takes in one source. The exponent is minus the distance of key and largest key, so one exponential serves both sides. */
// @ts-ignore: decorator
@inline
function gather(key: v128, value: v128, state: usize, slots: usize): void {
  const numerator = state + slots;
  const denominator = numerator + slots;
  const partial = denominator + slots;
  const largest = v128.load(state);
  const rises = f32x4.gt(key, largest);
  const ratio = expNegative(f32x4.neg(f32x4.abs(f32x4.sub(key, largest))));
  const keep = v128.bitselect(ratio, splat(1.0), rises);
  const weight = v128.bitselect(splat(1.0), ratio, rises);
  v128.store(state, maximum(largest, key));
  v128.store(numerator, f32x4.mul(v128.load(numerator), keep));
  v128.store(denominator, f32x4.mul(v128.load(denominator), keep));
  v128.store(partial, madd(weight, value, f32x4.mul(v128.load(partial), keep)));
  v128.store(partial + slots, madd(v128.load(partial + slots), keep, weight));
}

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
  state: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const row = <usize>dim << 2;
  const slots = slotBytes(dim);
  const sums = state + slots;
  const partials = sums + 2 * slots;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    const states = <usize>b * 3 * row;
    fillNone(state, slots);
    memory.fill(sums, 0, 4 * slots);
    if (initialState != 0) {
      for (let part: usize = 0; part < 3; part++) {
        const given = initialState + states + part * row;
        for (let slot: usize = 0; slot < slots; slot += 16) v128.store(state + part * slots + slot, v128.load(given + vectorAt(slot, dim)));
      }
    }
    for (let t: i32 = 0; t < time; t++) {
      const begin = (first + t) * row;
      // Two loops: in one, the registers do not hold the constants of all that is computed.
      if (exists(mask, first + t)) {
        for (let slot: usize = 0; slot < slots; slot += 16) {
          const i = begin + vectorAt(slot, dim);
          gather(v128.load(key + i), v128.load(value + i), state + slot, slots);
        }
      }
      for (let slot: usize = 0; slot < slots; slot += 16) {
        const i = begin + vectorAt(slot, dim);
        const numerator = f32x4.add(v128.load(sums + slot), v128.load(partials + slot));
        const denominator = f32x4.add(v128.load(sums + slots + slot), v128.load(partials + slots + slot));
        let mixed = mean(numerator, denominator);
        if (context != 0) {
          v128.store(context + i, mixed);
          v128.store(logNormalizer + i, logNormalizerOf(v128.load(state + slot), denominator, log(denominator)));
        }
        if (activation != NO_GATE) {
          const q = v128.load(query + i);
          mixed = f32x4.mul(mixed, gateOf(q, gateExponential(q, activation), activation));
        }
        v128.store(output + i, mixed);
      }
      if (closesSpan(t, time)) closeSums(sums, partials, 2 * slots);
    }
    for (let part: usize = 0; part < 3; part++) {
      const target = finalState + states + part * row;
      for (let slot: usize = 0; slot < slots; slot += 16) v128.store(target + vectorAt(slot, dim), v128.load(state + part * slots + slot));
    }
  }
}

/**
 * Continues a sum that decays by `1 + change` and takes in `term`. It is kept in two parts: while it changes little only the small part moves,
 * so that rounding does not add up over thousands of steps; otherwise the large part is folded in.
 */
// @ts-ignore: decorator
@inline
function decay(large: usize, small: usize, near: v128, change: v128, factor: v128, term: v128): void {
  const whole = f32x4.add(v128.load(large), v128.load(small));
  const moved = f32x4.add(v128.load(small), madd(whole, change, term));
  v128.store(large, v128.and(v128.load(large), near));
  v128.store(small, v128.bitselect(moved, madd(whole, factor, term), near));
}

// @ts-ignore: decorator
@inline
function wholeSum(large: usize, small: usize): v128 {
  return f32x4.add(v128.load(large), v128.load(small));
}

/**
 * From the last target to the first. `scratch` holds, relative to the normalizer of the target after this one, what the later targets received, the
 * same times their contexts, the small parts of both sums, and that normalizer; normalizers only grow with time, so sums only decay.
 * `initialState` and `dInitialState` are both 0 where there was no state.
 */
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
  scratch: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const row = <usize>dim << 2;
  const slots = slotBytes(dim);
  const weighed = scratch + slots;
  const small = weighed + slots;
  const normalizers = small + 2 * slots;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    const states = <usize>b * 3 * row;
    memory.fill(small, 0, 2 * slots);
    // The final state counts as one more target; its largest key is held constant, for it cancels in every use of a state.
    for (let slot: usize = 0; slot < slots; slot += 16) {
      const i = states + vectorAt(slot, dim);
      v128.store(scratch + slot, v128.load(dFinalState + i + row));
      v128.store(weighed + slot, f32x4.neg(v128.load(dFinalState + i + 2 * row)));
      v128.store(normalizers + slot, v128.load(finalState + i));
    }
    for (let t = time - 1; t >= 0; t--) {
      const begin = (first + t) * row;
      for (let slot: usize = 0; slot < slots; slot += 16) {
        const i = begin + vectorAt(slot, dim);
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
        const exponent = f32x4.sub(normalizer, v128.load(normalizers + slot));
        v128.store(normalizers + slot, normalizer);
        const factor = exp(exponent);
        const change = expm1Near(exponent);
        const near = f32x4.lt(f32x4.abs(exponent), splat(0.34));
        decay(scratch + slot, small + slot, near, change, factor, gradient);
        decay(weighed + slot, small + slots + slot, near, change, factor, f32x4.mul(gradient, mixed));
      }
      if (!exists(mask, first + t)) {
        memory.fill(dKey + begin, 0, row);
        memory.fill(dValue + begin, 0, row);
        continue;
      }
      for (let slot: usize = 0; slot < slots; slot += 16) {
        const i = begin + vectorAt(slot, dim);
        const weight = expNegative(f32x4.sub(v128.load(key + i), v128.load(normalizers + slot)));
        const received = wholeSum(scratch + slot, small + slot);
        const balance = wholeSum(weighed + slot, small + slots + slot);
        v128.store(dValue + i, f32x4.mul(weight, received));
        v128.store(dKey + i, f32x4.mul(weight, f32x4.sub(f32x4.mul(v128.load(value + i), received), balance)));
      }
    }
    if (initialState == 0) continue;
    for (let slot: usize = 0; slot < slots; slot += 16) {
      const i = states + vectorAt(slot, dim);
      const largest = v128.load(initialState + i);
      const begun = f32x4.gt(largest, splat(NONE / 2));
      const factor = v128.and(expCall(f32x4.sub(largest, v128.load(normalizers + slot))), begun);
      v128.store(dInitialState + i, splat(0.0));
      v128.store(dInitialState + i + row, f32x4.mul(factor, wholeSum(scratch + slot, small + slot)));
      const balance = wholeSum(weighed + slot, small + slots + slot);
      v128.store(dInitialState + i + 2 * row, f32x4.neg(f32x4.mul(factor, balance)));
    }
  }
}
