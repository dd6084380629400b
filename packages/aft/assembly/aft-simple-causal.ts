// AFT-simple in which a target sees the sources up to its own time. What a channel has gathered, its largest key, numerator and
// denominator, stands in the rows of the state; sums of the last few steps stand apart in `scratch`, for precision.
import { expm1Near, loadLanes, madd, maximum, splat, storeLanes } from '../../tensor-ops/assembly/math';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { expLanes, logLanes } from './lanes';
import { exists, fillNone, mean, NONE, SPAN } from './sources';

/** Floats of working memory that `causalForward` and `causalBackward` need. */
export function causalScratchFloats(dim: i32): i32 {
  return 5 * dim;
}

/** Takes in one source. The exponent is minus the distance of key and largest key, so one exponential serves both sides. */
// @ts-ignore: decorator
@inline
function gatherStep(key: usize, value: usize, state: usize, partial: usize, rowBytes: usize, n: i32): void {
  const k = loadLanes(key, n);
  const largest = loadLanes(state, n);
  const rises = f32x4.gt(k, largest);
  const ratio = expLanes(f32x4.neg(f32x4.abs(f32x4.sub(k, largest))), n);
  const keep = v128.bitselect(ratio, splat(1.0), rises);
  const weight = v128.bitselect(splat(1.0), ratio, rises);
  storeLanes(state, maximum(largest, k), n);
  storeLanes(state + rowBytes, f32x4.mul(loadLanes(state + rowBytes, n), keep), n);
  storeLanes(state + 2 * rowBytes, f32x4.mul(loadLanes(state + 2 * rowBytes, n), keep), n);
  storeLanes(partial, madd(weight, loadLanes(value, n), f32x4.mul(loadLanes(partial, n), keep)), n);
  storeLanes(partial + rowBytes, madd(loadLanes(partial + rowBytes, n), keep, weight), n);
}

// @ts-ignore: decorator
@inline
function targetStep(
  query: usize,
  state: usize,
  partial: usize,
  rowBytes: usize,
  output: usize,
  context: usize,
  logNormalizer: usize,
  activation: i32,
  n: i32,
): void {
  const numerator = f32x4.add(loadLanes(state + rowBytes, n), loadLanes(partial, n));
  const denominator = f32x4.add(loadLanes(state + 2 * rowBytes, n), loadLanes(partial + rowBytes, n));
  let mixed = mean(numerator, denominator);
  if (context != 0) {
    storeLanes(context, mixed, n);
    const sum = f32x4.add(loadLanes(state, n), logLanes(denominator, n));
    storeLanes(logNormalizer, v128.bitselect(splat(NONE), sum, f32x4.eq(denominator, splat(0.0))), n);
  }
  if (activation != NO_GATE) {
    const q = loadLanes(query, n);
    mixed = f32x4.mul(mixed, gateOf(q, gateExponential(q, activation, n), activation));
  }
  storeLanes(output, mixed, n);
}

/** Moves the sums of the last steps into the state. */
function closeSpan(state: usize, partial: usize, dim: i32): void {
  for (let i: usize = 0, bytes = <usize>dim << 3; i < bytes; i += 4) {
    const total = state + (<usize>dim << 2) + i;
    store<f32>(total, load<f32>(total) + load<f32>(partial + i));
    store<f32>(partial + i, 0.0);
  }
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
  scratch: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const rowBytes = <usize>dim << 2;
  const body = rowBytes & ~15;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    const state = finalState + <usize>b * 3 * rowBytes;
    if (initialState != 0) {
      memory.copy(state, initialState + <usize>b * 3 * rowBytes, 3 * rowBytes);
    } else {
      fillNone(state, rowBytes);
      memory.fill(state + rowBytes, 0, 2 * rowBytes);
    }
    memory.fill(scratch, 0, 2 * rowBytes);
    for (let t: i32 = 0; t < time; t++) {
      const row = (first + t) * rowBytes;
      if (exists(mask, first + t)) {
        for (let i: usize = 0; i < body; i += 16) gatherStep(key + row + i, value + row + i, state + i, scratch + i, rowBytes, 4);
        for (let i = body; i < rowBytes; i += 4) gatherStep(key + row + i, value + row + i, state + i, scratch + i, rowBytes, 1);
      }
      const mixed = context == 0 ? 0 : context + row;
      const normalizer = context == 0 ? 0 : logNormalizer + row;
      for (let i: usize = 0; i < body; i += 16) {
        targetStep(query + row + i, state + i, scratch + i, rowBytes, output + row + i, mixed == 0 ? 0 : mixed + i, normalizer + i, activation, 4);
      }
      for (let i = body; i < rowBytes; i += 4) {
        targetStep(query + row + i, state + i, scratch + i, rowBytes, output + row + i, mixed == 0 ? 0 : mixed + i, normalizer + i, activation, 1);
      }
      if (t % SPAN == SPAN - 1 || t == time - 1) closeSpan(state, scratch, dim);
    }
  }
}

/**
 * Continues a sum that decays by `1 + change` and takes in `term`. It is kept in two parts: while it changes little only the small part moves,
 * so that rounding does not add up over thousands of steps; otherwise the large part is folded in.
 */
// @ts-ignore: decorator
@inline
function decay(large: usize, small: usize, near: v128, change: v128, factor: v128, term: v128, n: i32): void {
  const whole = f32x4.add(loadLanes(large, n), loadLanes(small, n));
  const moved = f32x4.add(loadLanes(small, n), madd(whole, change, term));
  storeLanes(small, v128.bitselect(moved, madd(whole, factor, term), near), n);
  storeLanes(large, v128.and(loadLanes(large, n), near), n);
}

/**
 * One target, from the last to the first. `carried` holds, relative to the normalizer of the target after this one, the sum of what the later targets
 * received, the same times their contexts, that normalizer, and the small parts of both sums; normalizers only grow with time, so sums only decay.
 */
// @ts-ignore: decorator
@inline
function receiveStep(
  query: usize,
  context: usize,
  logNormalizer: usize,
  dOutput: usize,
  dQuery: usize,
  carried: usize,
  rowBytes: usize,
  activation: i32,
  n: i32,
): void {
  let received = loadLanes(dOutput, n);
  const mixed = loadLanes(context, n);
  let slope = splat(0.0);
  if (activation != NO_GATE) {
    const q = loadLanes(query, n);
    const exponential = gateExponential(q, activation, n);
    const gate = gateOf(q, exponential, activation);
    slope = f32x4.mul(f32x4.mul(received, mixed), gateSlope(q, exponential, gate, activation));
    received = f32x4.mul(received, gate);
  }
  storeLanes(dQuery, slope, n);
  const normalizer = loadLanes(logNormalizer, n);
  const exponent = f32x4.sub(normalizer, loadLanes(carried + 2 * rowBytes, n));
  const factor = expLanes(exponent, n);
  const change = expm1Near(exponent);
  const near = f32x4.lt(f32x4.abs(exponent), splat(0.34));
  decay(carried, carried + 3 * rowBytes, near, change, factor, received, n);
  decay(carried + rowBytes, carried + 4 * rowBytes, near, change, factor, f32x4.mul(received, mixed), n);
  storeLanes(carried + 2 * rowBytes, normalizer, n);
}

/** Both parts of a carried sum. */
// @ts-ignore: decorator
@inline
function wholeSum(sum: usize, rowBytes: usize, n: i32): v128 {
  return f32x4.add(loadLanes(sum, n), loadLanes(sum + 3 * rowBytes, n));
}

// @ts-ignore: decorator
@inline
function sourceStep(key: usize, value: usize, carried: usize, rowBytes: usize, dKey: usize, dValue: usize, n: i32): void {
  const weight = expLanes(f32x4.sub(loadLanes(key, n), loadLanes(carried + 2 * rowBytes, n)), n);
  const received = wholeSum(carried, rowBytes, n);
  storeLanes(dValue, f32x4.mul(weight, received), n);
  const weighed = f32x4.sub(f32x4.mul(loadLanes(value, n), received), wholeSum(carried + rowBytes, rowBytes, n));
  storeLanes(dKey, f32x4.mul(weight, weighed), n);
}

/** `initialState` and `dInitialState` are both 0 where there was no state. */
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
  const rowBytes = <usize>dim << 2;
  const body = rowBytes & ~15;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    const states = <usize>b * 3 * rowBytes;
    memory.fill(scratch + 3 * rowBytes, 0, 2 * rowBytes);
    // The final state counts as one more target; its largest key is held constant, for it cancels in every use of a state.
    for (let i: usize = 0; i < rowBytes; i += 4) {
      store<f32>(scratch + i, load<f32>(dFinalState + states + rowBytes + i));
      store<f32>(scratch + rowBytes + i, -load<f32>(dFinalState + states + 2 * rowBytes + i));
      store<f32>(scratch + 2 * rowBytes + i, load<f32>(finalState + states + i));
    }
    for (let t = time - 1; t >= 0; t--) {
      const row = (first + t) * rowBytes;
      for (let i: usize = 0; i < body; i += 16) {
        receiveStep(query + row + i, context + row + i, logNormalizer + row + i, dOutput + row + i, dQuery + row + i, scratch + i, rowBytes, activation, 4);
      }
      for (let i = body; i < rowBytes; i += 4) {
        receiveStep(query + row + i, context + row + i, logNormalizer + row + i, dOutput + row + i, dQuery + row + i, scratch + i, rowBytes, activation, 1);
      }
      if (!exists(mask, first + t)) {
        memory.fill(dKey + row, 0, rowBytes);
        memory.fill(dValue + row, 0, rowBytes);
        continue;
      }
      for (let i: usize = 0; i < body; i += 16) sourceStep(key + row + i, value + row + i, scratch + i, rowBytes, dKey + row + i, dValue + row + i, 4);
      for (let i = body; i < rowBytes; i += 4) sourceStep(key + row + i, value + row + i, scratch + i, rowBytes, dKey + row + i, dValue + row + i, 1);
    }
    if (initialState == 0) continue;
    memory.fill(dInitialState + states, 0, rowBytes);
    for (let i: usize = 0; i < rowBytes; i += 4) {
      const largest = loadLanes(initialState + states + i, 1);
      const begun = f32x4.gt(largest, splat(NONE / 2));
      const factor = v128.and(expLanes(f32x4.sub(largest, loadLanes(scratch + 2 * rowBytes + i, 1)), 1), begun);
      storeLanes(dInitialState + states + rowBytes + i, f32x4.mul(factor, wholeSum(scratch + i, rowBytes, 1)), 1);
      storeLanes(dInitialState + states + 2 * rowBytes + i, f32x4.neg(f32x4.mul(factor, wholeSum(scratch + rowBytes + i, rowBytes, 1))), 1);
    }
  }
}
