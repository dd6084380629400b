// The gradient of AFT-local. Source by source: what it receives from the targets after its window and from those before, by two running sums over the
// targets, and from those in the window pair by pair.
import { expNegative, splat, sumLanes } from '../../tensor-ops/assembly/math';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { begin, causal, dKeyOf, dValueOf, firstTarget, isPresent, keyOf, lastTarget, makeTile, past, rank, reach, row, setCall, setGradients, sources, stateBytes, step, table, TILE, tileBytes, time, u, v, valueOf } from './local-call';
import { fromEarlier, fromLater } from './local-far-gradient';
import { slotBytes } from './slots';
import { SPAN } from './sources';

// An entry of the list of a source's targets: the place of their rows, and the bias. Their parts of the bias's gradient stand apart, four lanes each.
const ENTRY: usize = 8;
const BIAS: usize = 4;

/** Bytes of working memory. */
export function backwardBytes(dim: i32, windowSize: i32, isFactored: i32): usize {
  return slotBytes(dim) + <usize>(2 * windowSize) * (ENTRY + 16) + tileBytes(windowSize, isFactored);
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
  setGradients(dKeys, dValues, dStates);
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
    fromLater(b, slots, dim, logNormalizer, received, context, state, finalState, dFinalState, dStates);
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
