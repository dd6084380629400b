// The gradient of AFT-local. Source by source: what it receives from the targets after its window and from those before, by two running sums over the
// targets, and from those in the window pair by pair.
import { exp, expNegative, madd, splat, sumLanes } from '../../tensor-ops/assembly/math';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { begin, causal, firstTarget, isPresent, keyOf, lag, lastTarget, makeTile, past, rank, reach, row, setCall, sources, stateBytes, step, table, TILE, tileBytes, time, u, v, valueOf } from './local-call';
import { clearSlots, expCall, SLOT, slotBytes } from './slots';
import { NONE, SPAN } from './sources';

// A slot: the level, and relative to e^level what the targets so far received, and that times their contexts; the sums of the last few apart.
const LEVEL: usize = 0;
const RECEIVED: usize = 16;
const WEIGHED: usize = 32;
const SPAN_RECEIVED: usize = 48;
const SPAN_WEIGHED: usize = 64;

/** The level rises only when an exponent passes it by this much, so that sums are rarely scaled, which would round them. */
const SLACK: f32 = 10.0;

// An entry of the list of a source's targets: the place of their rows, and the bias. Their parts of the bias's gradient stand apart, four lanes each.
const ENTRY: usize = 8;
const BIAS: usize = 4;

/** Bytes of working memory. */
export function backwardBytes(dim: i32, windowSize: i32, isFactored: i32): usize {
  return slotBytes(dim) + <usize>(2 * windowSize) * (ENTRY + 16) + tileBytes(windowSize, isFactored);
}

/** Where the gradients of a source go. */
let dKey: usize = 0;
let dValue: usize = 0;
let dState: usize = 0;

function dKeyOf(b: i32, i: i32): usize {
  if (i < past) return dState + <usize>b * stateBytes + row * (3 + i);
  return dKey + (<usize>b * time + (i - past)) * row;
}

function dValueOf(b: i32, i: i32): usize {
  if (i < past) return dState + <usize>b * stateBytes + row * (3 + past + i);
  return dValue + (<usize>b * time + (i - past)) * row;
}

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
function fromLater(b: i32, slots: usize, dim: i32, logNormalizer: usize, received: usize, context: usize, state: usize, finalState: usize, dFinalState: usize): void {
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
    v128.store(dState + i, splat(0.0));
    v128.store(dState + i + row, f32x4.mul(factor, f32x4.add(v128.load(s, RECEIVED), v128.load(s, SPAN_RECEIVED))));
    v128.store(dState + i + 2 * row, f32x4.neg(f32x4.mul(factor, f32x4.add(v128.load(s, WEIGHED), v128.load(s, SPAN_WEIGHED)))));
  }
}

/** From the first source to the last: what it receives from the targets before its window. */
function fromEarlier(b: i32, slots: usize, dim: i32, logNormalizer: usize, received: usize, context: usize): void {
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

/** Channels of the last vector that the one before does not hold; all, unless it overlaps. Of narrow rows only the channels that there are. */
function lastLanes(dim: i32): v128 {
  const lanes = i32x4(0, 1, 2, 3);
  if (dim < 4) return i32x4.lt_s(lanes, i32x4.splat(dim));
  return i32x4.ge_s(lanes, i32x4.splat((4 - (dim & 3)) & 3));
}

/** The pairs of source `i` with the targets of its window: adds to its gradients, and leaves those of the biases in `parts`, four lanes each. */
function fromWindow(b: i32, i: i32, list: usize, end: usize, parts: usize, logNormalizer: usize, received: usize, context: usize, lanes: v128): void {
  const last = row - 16;
  const keys = keyOf(b, i);
  const values = valueOf(b, i);
  const toKey = dKeyOf(b, i);
  const toValue = dValueOf(b, i);
  const keyBefore = v128.load(toKey + last);
  const valueBefore = v128.load(toValue + last);
  memory.fill(parts, 0, ((end - list) / ENTRY) << 4);
  for (let c: usize = 0; c < row; c += 16) {
    const at = min(c, last);
    const counted = at == last ? lanes : i32x4.splat(-1);
    const k = v128.load(keys + at);
    const x = v128.load(values + at);
    let dK = at == last ? keyBefore : v128.load(toKey + at);
    let dV = at == last ? valueBefore : v128.load(toValue + at);
    for (let span = list; span < end; span += SPAN * ENTRY) {
      const spanEnd = min(end, span + SPAN * ENTRY);
      let spanK = splat(0.0);
      let spanV = splat(0.0);
      for (let entry = span; entry < spanEnd; entry += ENTRY) {
        const place = load<u32>(entry) + at;
        const weight = expNegative(f32x4.add(f32x4.sub(k, v128.load(logNormalizer + place)), v128.load32_splat(entry, BIAS)));
        const mixed = f32x4.mul(weight, v128.load(received + place));
        const slope = f32x4.mul(mixed, f32x4.sub(x, v128.load(context + place)));
        spanV = f32x4.add(spanV, mixed);
        spanK = f32x4.add(spanK, slope);
        const part = parts + ((entry - list) << 1);
        v128.store(part, f32x4.add(v128.load(part), v128.and(slope, counted)));
      }
      dK = f32x4.add(dK, spanK);
      dV = f32x4.add(dV, spanV);
    }
    v128.store(toKey + at, dK);
    v128.store(toValue + at, dV);
  }
}

/** Adds `factor` times a row of a factor of the bias to another. */
function addRow(target: usize, source: usize, factor: f32): void {
  for (let r: i32 = 0; r < rank; r++) {
    const at = <usize>r << 2;
    store<f32>(target + at, load<f32>(target + at) + factor * load<f32>(source + at));
  }
}

/**
 * `state`, `finalState`, `dFinalState` and `dStates` are all 0 where there was no state. The gradients of the bias stand as the bias does, and hold zeros
 * before. `channels` are those of the tensors; `dim` is the width of the rows here.
 */
export function backward(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  state: usize,
  finalState: usize,
  context: usize,
  logNormalizer: usize,
  dOutput: usize,
  dFinalState: usize,
  dQuery: usize,
  dKeys: usize,
  dValues: usize,
  dStates: usize,
  bias: usize,
  biasStep: i32,
  factorOfTargets: usize,
  factorOfSources: usize,
  ranks: i32,
  dBias: usize,
  dFactorOfTargets: usize,
  dFactorOfSources: usize,
  scratch: usize,
  batch: i32,
  times: i32,
  dim: i32,
  pasts: i32,
  windowSize: i32,
  first: i32,
  isCausal: i32,
  activation: i32,
  channels: i32,
): void {
  setCall(key, value, mask, state, bias, biasStep, factorOfTargets, factorOfSources, ranks, times, dim, pasts, windowSize, first, isCausal);
  dKey = dKeys;
  dValue = dValues;
  dState = dStates;
  const slots = scratch;
  const parts = slots + slotBytes(dim);
  const list = parts + <usize>(2 * windowSize) * 16;
  const tile = list + <usize>(2 * windowSize) * ENTRY;
  const last = row - 16;
  const lanes = lastLanes(channels);
  const bytes = <usize>batch * time * row;
  // What the targets receive stands where the query's gradient will.
  const received = dQuery;
  gradientOfContext(query, dOutput, received, bytes, activation);
  for (let b: i32 = 0; b < batch; b++) {
    fromLater(b, slots, dim, logNormalizer, received, context, state, finalState, dFinalState);
    if (!causal) fromEarlier(b, slots, dim, logNormalizer, received, context);
    for (let from = begin; from < sources && reach >= 0; from += TILE) {
      const to = min(sources, from + TILE);
      if (u != 0) makeTile(tile, firstTarget(from), lastTarget(to - 1), from, to);
      for (let i = from; i < to; i++) {
        if (!isPresent(b, i)) continue;
        const firstOne = firstTarget(i);
        const lastOne = lastTarget(i);
        let end = list;
        for (let t = firstOne; t < lastOne; t++, end += ENTRY) {
          store<u32>(end, <u32>((<usize>b * time + t) * row));
          store<f32>(end, load<f32>(table + (<usize>(t * step + i) << 2)), BIAS);
        }
        if (end == list) continue;
        fromWindow(b, i, list, end, parts, logNormalizer, received, context, lanes);
        for (let t = firstOne; t < lastOne; t++) {
          const slope = sumLanes(v128.load(parts + (<usize>(t - firstOne) << 4)));
          if (u == 0) {
            const at = dBias + (<usize>(t * step + i) << 2);
            store<f32>(at, load<f32>(at) + slope);
          } else {
            const target = <usize>(t * rank) << 2;
            const source = <usize>(i * rank) << 2;
            addRow(dFactorOfTargets + target, v + source, slope);
            addRow(dFactorOfSources + source, u + target, slope);
          }
        }
      }
    }
    if (state == 0) continue;
    for (let r: i32 = 0; r < past; r++) {
      if (!isPresent(b, time + r)) continue;
      const given = dFinalState + <usize>b * stateBytes + row * (3 + r);
      addTo(dKeyOf(b, time + r), given);
      addTo(dValueOf(b, time + r), given + row * past);
    }
  }
  gradientOfQuery(query, dOutput, context, dQuery, bytes, activation);
}

/** Adds a row to another. */
function addTo(target: usize, source: usize): void {
  for (let c: usize = 0; c < row; c += 4) store<f32>(target + c, load<f32>(target + c) + load<f32>(source + c));
}

function gradientOfContext(query: usize, dOutput: usize, received: usize, bytes: usize, activation: i32): void {
  const last = bytes - 16;
  for (let c: usize = 0; c < bytes; c += 16) {
    const i = min(c, last);
    let gradient = v128.load(dOutput + i);
    if (activation != NO_GATE) {
      const q = v128.load(query + i);
      gradient = f32x4.mul(gradient, gateOf(q, gateExponential(q, activation), activation));
    }
    v128.store(received + i, gradient);
  }
}

function gradientOfQuery(query: usize, dOutput: usize, context: usize, dQuery: usize, bytes: usize, activation: i32): void {
  const last = bytes - 16;
  if (activation == NO_GATE) {
    memory.fill(dQuery, 0, bytes);
    return;
  }
  for (let c: usize = 0; c < bytes; c += 16) {
    const i = min(c, last);
    const q = v128.load(query + i);
    const exponential = gateExponential(q, activation);
    const slope = gateSlope(q, exponential, gateOf(q, exponential, activation), activation);
    v128.store(dQuery + i, f32x4.mul(f32x4.mul(v128.load(dOutput + i), v128.load(context + i)), slope));
  }
}
