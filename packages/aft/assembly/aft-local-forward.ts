// AFT-local, target by target: the running sums of the sources before the window, those after it, and in the window one exponential per pair. All terms
// are positive, and none is relative to an exponent that other terms do not reach.
import { expNegative, log, madd, maximum, splat } from '../../tensor-ops/assembly/math';
import { gated, NO_GATE } from './gate';
import { begin, causal, firstSource, isPresent, keyOf, lag, lastSource, makeTile, past, reach, row, setCall, sources, stateBytes, TILE, tileBytes, time, u, valueOf } from './local-call';
import { ENTRY, holdSums, largestBias, LEVEL, listBytes, listSources, NEAR_DENOMINATOR, NEAR_LARGEST, NEAR_NUMERATOR, windowSums } from './local-window';
import { closeSums, DENOMINATOR, gather, LARGEST, NUMERATOR, wholeDenominator, wholeNumerator } from './running-sums';
import { clearSlots, SLOT, slotBytes } from './slots';
import { logNormalizerOf, mean, NONE, SPAN } from './sources';

/** Bytes of working memory. */
export function forwardBytes(times: i32, dim: i32, windowSize: i32, isCausal: i32, isFactored: i32): usize {
  const tiles = (times + TILE - 1) / TILE;
  const sums = isCausal ? 0 : <usize>(tiles + TILE) * 3 * (<usize>dim << 2);
  return 3 * slotBytes(dim) + listBytes(windowSize) + tileBytes(windowSize, isFactored) + sums;
}

/** Takes in source `i`, if it exists. Every so many sources the sums are closed. */
function gatherSource(b: i32, i: i32, slots: usize): void {
  if (isPresent(b, i)) {
    const keys = keyOf(b, i);
    const values = valueOf(b, i);
    const last = row - 16;
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
      const at = min(c, last);
      gather(v128.load(keys + at), v128.load(values + at), s);
    }
  }
  if (i % SPAN == SPAN - 1) for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) closeSums(s);
}

/** Stores running sums as three rows. */
function storeSums(slots: usize, target: usize): void {
  const last = row - 16;
  for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
    const at = target + min(c, last);
    v128.store(at, v128.load(s, LARGEST));
    v128.store(at + row, wholeNumerator(s));
    v128.store(at + 2 * row, wholeDenominator(s));
  }
}

function loadSums(slots: usize, dim: i32, source: usize): void {
  const last = row - 16;
  clearSlots(slots, dim);
  for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
    const at = source + min(c, last);
    v128.store(s, v128.load(at), LARGEST);
    v128.store(s, v128.load(at + row), NUMERATOR);
    v128.store(s, v128.load(at + 2 * row), DENOMINATOR);
  }
}

/** The mixture of target `t` from its window's list, the sums before it in `slots` and those after it in `after` (0 for none). */
function mixTarget(
  at: usize,
  list: usize,
  end: usize,
  most: f32,
  slots: usize,
  after: usize,
  near: usize,
  query: usize,
  output: usize,
  context: usize,
  logNormalizer: usize,
  activation: i32,
): void {
  const last = row - 16;
  for (let c: usize = 0, s = slots, n = near; c < row; c += 16, s += SLOT, n += SLOT) {
    const place = min(c, last);
    const i = at + place;
    holdSums(list, end, place, most, n);
    const level = v128.load(n, LEVEL);
    let largest = v128.load(s, LARGEST);
    let numerator = wholeNumerator(s);
    let denominator = wholeDenominator(s);
    if (after != 0) {
      const other = v128.load(after + place);
      const both = maximum(largest, other);
      const keep = expNegative(f32x4.sub(largest, both));
      const keepOther = expNegative(f32x4.sub(other, both));
      numerator = madd(numerator, keep, f32x4.mul(v128.load(after + place + row), keepOther));
      denominator = madd(denominator, keep, f32x4.mul(v128.load(after + place + 2 * row), keepOther));
      largest = both;
    }
    const nearest = f32x4.add(splat(most), v128.load(n, NEAR_LARGEST));
    const distance = f32x4.sub(f32x4.sub(largest, level), nearest);
    const isFar = f32x4.gt(distance, splat(0.0));
    const ratio = expNegative(f32x4.neg(f32x4.abs(distance)));
    const keep = v128.bitselect(splat(1.0), ratio, isFar);
    const keepNear = v128.bitselect(ratio, splat(1.0), isFar);
    numerator = madd(numerator, keep, f32x4.mul(v128.load(n, NEAR_NUMERATOR), keepNear));
    denominator = madd(denominator, keep, f32x4.mul(v128.load(n, NEAR_DENOMINATOR), keepNear));
    let mixed = mean(numerator, denominator);
    if (context != 0) {
      v128.store(context + i, mixed);
      const reference = v128.bitselect(largest, f32x4.add(level, nearest), isFar);
      v128.store(logNormalizer + i, logNormalizerOf(reference, denominator, log(denominator)));
    }
    if (activation != NO_GATE) mixed = gated(mixed, v128.load(query + i), activation);
    v128.store(output + i, mixed);
  }
}

/** The sums of the sources that come `apart` or more after the last target of each tile, three rows per tile. */
function sumsAfterTiles(b: i32, slots: usize, dim: i32, apart: i32, target: usize): void {
  clearSlots(slots, dim);
  let next = time;
  for (let from = (time - 1) / TILE * TILE; from >= 0; from -= TILE) {
    const first = min(time, min(time, from + TILE) - 1 + apart);
    while (next > first) gatherSource(b, --next, slots);
    storeSums(slots, target + <usize>(from / TILE) * 3 * row);
  }
}

/** The same for every target of the tile from `from` to `to`, three rows per target. */
function sumsAfterTargets(b: i32, slots: usize, apart: i32, from: i32, to: i32, target: usize): void {
  let next = min(time, to - 1 + apart);
  for (let t = to - 1; t >= from; t--) {
    const first = min(time, t + apart);
    while (next > first) gatherSource(b, --next, slots);
    storeSums(slots, target + <usize>(t - from) * 3 * row);
  }
}

/**
 * `state` and `finalState` are both 0 where there is none; `context` and `logNormalizer` are both 0 when they are not wanted. `bias` is 0 where `u` and `v`
 * are not; otherwise the bias of target 0 and source 0.
 */
export function forward(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  state: usize,
  output: usize,
  finalState: usize,
  context: usize,
  logNormalizer: usize,
  bias: usize,
  biasStep: i32,
  factorOfTargets: usize,
  factorOfSources: usize,
  rank: i32,
  scratch: usize,
  batch: i32,
  times: i32,
  dim: i32,
  pasts: i32,
  windowSize: i32,
  first: i32,
  isCausal: i32,
  activation: i32,
): void {
  setCall(key, value, mask, state, bias, biasStep, factorOfTargets, factorOfSources, rank, times, dim, pasts, windowSize, first, isCausal);
  const slots = scratch;
  const afterSlots = slots + slotBytes(dim);
  const near = afterSlots + slotBytes(dim);
  const list = near + slotBytes(dim);
  const tile = list + listBytes(windowSize);
  const afterTargets = tile + tileBytes(windowSize, factorOfTargets != 0 ? 1 : 0);
  const afterTiles = afterTargets + <usize>TILE * 3 * row;
  const apart = max(1, lag);
  for (let b: i32 = 0; b < batch; b++) {
    if (state == 0) clearSlots(slots, dim);
    else loadSums(slots, dim, state + <usize>b * stateBytes);
    if (!causal) sumsAfterTiles(b, afterSlots, dim, apart, afterTiles);
    let next = begin;
    let moved: i32 = 0;
    for (let from: i32 = 0; from < time; from += TILE) {
      const to = min(time, from + TILE);
      if (u != 0) makeTile(tile, from, to, firstSource(from), lastSource(to - 1));
      if (!causal) {
        loadSums(afterSlots, dim, afterTiles + <usize>(from / TILE) * 3 * row);
        sumsAfterTargets(b, afterSlots, apart, from, to, afterTargets);
      }
      for (let t = from; t < to; t++) {
        while (next < past + t - reach) gatherSource(b, next++, slots);
        const end = listSources(list, b, t);
        // A step with a full window moves it on by a row while it is summed; what stands in the way is stored later.
        if (time == 1 && finalState != 0 && end == list + <usize>(past + 1) * ENTRY) moved = past & -4;
        const most = largestBias(list, end);
        windowSums(list, end, dim, most, near, list + <usize>moved * ENTRY, finalState - state - row);
        const after = causal ? 0 : afterTargets + <usize>(t - from) * 3 * row;
        mixTarget((<usize>b * time + t) * row, list, end, most, slots, after, near, query, output, context, logNormalizer, activation);
      }
    }
    if (finalState == 0) continue;
    while (next < sources - max(0, reach)) gatherSource(b, next++, slots);
    const target = finalState + <usize>b * stateBytes;
    storeSums(slots, target);
    // What stays in the window moves on as it is.
    const kept = max(0, past - time);
    if (kept > 0) {
      const last = max(0, moved - 1);
      memory.copy(target + row * (3 + last), keyOf(b, last + time), row * (kept - last));
      memory.copy(target + row * (3 + past + last), valueOf(b, last + time), row * (kept - last));
    }
    for (let i = kept; i < past; i++) {
      const keys = target + row * (3 + i);
      const values = keys + row * past;
      if (isPresent(b, time + i)) {
        memory.copy(keys, keyOf(b, time + i), row);
        memory.copy(values, valueOf(b, time + i), row);
      } else {
        for (let c: usize = 0; c < row; c += 4) store<f32>(keys + c, NONE);
        memory.fill(values, 0, row);
      }
    }
  }
}
