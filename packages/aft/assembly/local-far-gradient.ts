// What sources of AFT-local receive from the targets whose bias is 0: those after their window and those before, by running sums over the targets.
import { exp, expNegative, madd, splat } from '../../tensor-ops/assembly/math';
import { begin, dKeyOf, dValueOf, isPresent, keyOf, lag, past, reach, row, sources, stateBytes, time, valueOf } from './local-call';
import { clearSlots, expCall, SLOT } from './slots';
import { NONE, SPAN } from './sources';

// A slot: the level, and relative to e^level what the targets so far received, and that times their contexts; the sums of the last few apart.
const LEVEL: usize = 0;
const RECEIVED: usize = 16;
const WEIGHED: usize = 32;
const SPAN_RECEIVED: usize = 48;
const SPAN_WEIGHED: usize = 64;

/** The level rises only when an exponent passes it by this much, so that sums are rarely scaled, which would round them. */
const SLACK: f32 = 10.0;

// @ts-ignore: decorator
@inline
function levelOf(logNormalizer: v128): v128 {
  return v128.bitselect(splat(NONE), f32x4.neg(logNormalizer), f32x4.le(logNormalizer, splat(NONE / 2)));
}

/** Takes in a target: one exponential serves both sides. */
// @ts-ignore: decorator
@inline
function gatherTarget(exponent: v128, received: v128, weighed: v128, s: usize): void {
  const level = v128.load(s, LEVEL);
  const distance = f32x4.sub(exponent, level);
  const rises = f32x4.gt(distance, splat(SLACK));
  const ratio = exp(v128.bitselect(f32x4.neg(distance), distance, rises));
  const keep = v128.bitselect(ratio, splat(1.0), rises);
  const weight = v128.bitselect(splat(1.0), ratio, rises);
  v128.store(s, v128.bitselect(exponent, level, rises), LEVEL);
  v128.store(s, f32x4.mul(v128.load(s, RECEIVED), keep), RECEIVED);
  v128.store(s, f32x4.mul(v128.load(s, WEIGHED), keep), WEIGHED);
  v128.store(s, madd(weight, received, f32x4.mul(v128.load(s, SPAN_RECEIVED), keep)), SPAN_RECEIVED);
  v128.store(s, madd(weight, weighed, f32x4.mul(v128.load(s, SPAN_WEIGHED), keep)), SPAN_WEIGHED);
}

// @ts-ignore: decorator
@inline
function closed(s: usize, sum: usize, span: usize): void {
  v128.store(s + sum, f32x4.add(v128.load(s + sum), v128.load(s + span)));
  v128.store(s + span, splat(0.0));
}

function gatherTargetRow(at: usize, t: i32, logNormalizer: usize, received: usize, context: usize, slots: usize): void {
  const last = row - 16;
  for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
    const i = at + min(c, last);
    const gradient = v128.load(received + i);
    gatherTarget(levelOf(v128.load(logNormalizer + i)), gradient, f32x4.mul(gradient, v128.load(context + i)), s);
  }
  if (t % SPAN != SPAN - 1) return;
  for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
    closed(s, RECEIVED, SPAN_RECEIVED);
    closed(s, WEIGHED, SPAN_WEIGHED);
  }
}

/** What source `i` receives from the gathered targets, for which its bias is 0: added to what it has, or in its place. */
function fromFar(b: i32, i: i32, slots: usize, adds: bool): void {
  const last = row - 16;
  const keys = keyOf(b, i);
  const values = valueOf(b, i);
  const toKey = dKeyOf(b, i);
  const toValue = dValueOf(b, i);
  // Where the last vector overlaps the one before, a sum would be added twice: so both are read before either is stored.
  let keyBefore = splat(0.0);
  let valueBefore = splat(0.0);
  if (adds) {
    keyBefore = v128.load(toKey + last);
    valueBefore = v128.load(toValue + last);
  }
  for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
    const at = min(c, last);
    const received = f32x4.add(v128.load(s, RECEIVED), v128.load(s, SPAN_RECEIVED));
    const weighed = f32x4.add(v128.load(s, WEIGHED), v128.load(s, SPAN_WEIGHED));
    const weight = expNegative(f32x4.add(v128.load(keys + at), v128.load(s, LEVEL)));
    let slope = f32x4.mul(weight, f32x4.sub(f32x4.mul(v128.load(values + at), received), weighed));
    let mixed = f32x4.mul(weight, received);
    if (adds) {
      slope = f32x4.add(slope, at == last ? keyBefore : v128.load(toKey + at));
      mixed = f32x4.add(mixed, at == last ? valueBefore : v128.load(toValue + at));
    }
    v128.store(toKey + at, slope);
    v128.store(toValue + at, mixed);
  }
}

/** From the last source to the first: what it receives from the targets after its window, the final state among them. Then the state's sums. */
export function fromLater(b: i32, slots: usize, dim: i32, logNormalizer: usize, received: usize, context: usize, state: usize, finalState: usize, dFinalState: usize, dStates: usize): void {
  const last = row - 16;
  const states = <usize>b * stateBytes;
  clearSlots(slots, dim);
  if (state != 0) {
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
      const i = states + min(c, last);
      v128.store(s, levelOf(v128.load(finalState + i)), LEVEL);
      v128.store(s, v128.load(dFinalState + i + row), RECEIVED);
      v128.store(s, f32x4.neg(v128.load(dFinalState + i + 2 * row)), WEIGHED);
    }
  }
  let next = time - 1;
  const left = sources - max(0, reach);
  for (let i = sources - 1; i >= 0; i--) {
    while (next >= max(0, i + lag - past)) {
      gatherTargetRow((<usize>b * time + next) * row, next, logNormalizer, received, context, slots);
      next--;
    }
    if (i < left && i >= begin && isPresent(b, i)) {
      fromFar(b, i, slots, false);
    } else {
      memory.fill(dKeyOf(b, i), 0, row);
      memory.fill(dValueOf(b, i), 0, row);
    }
  }
  if (state == 0) return;
  for (; next >= 0; next--) gatherTargetRow((<usize>b * time + next) * row, next, logNormalizer, received, context, slots);
  // The largest key of a state is held constant, for it cancels wherever the state is used.
  for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
    const i = states + min(c, last);
    const largest = v128.load(state + i);
    const factor = v128.and(expCall(f32x4.add(largest, v128.load(s, LEVEL))), f32x4.gt(largest, splat(NONE / 2)));
    v128.store(dStates + i, splat(0.0));
    v128.store(dStates + i + row, f32x4.mul(factor, f32x4.add(v128.load(s, RECEIVED), v128.load(s, SPAN_RECEIVED))));
    v128.store(dStates + i + 2 * row, f32x4.neg(f32x4.mul(factor, f32x4.add(v128.load(s, WEIGHED), v128.load(s, SPAN_WEIGHED)))));
  }
}

/** From the first source to the last: what it receives from the targets before its window. */
export function fromEarlier(b: i32, slots: usize, dim: i32, logNormalizer: usize, received: usize, context: usize): void {
  clearSlots(slots, dim);
  let next: i32 = 0;
  for (let i: i32 = 0; i < sources; i++) {
    while (next <= i - max(1, lag)) {
      gatherTargetRow((<usize>b * time + next) * row, next, logNormalizer, received, context, slots);
      next++;
    }
    if (next > 0 && isPresent(b, i)) fromFar(b, i, slots, true);
  }
}
