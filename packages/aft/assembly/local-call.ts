// What a call of AFT-local is about, and its bias near the diagonal. Sources are counted from the oldest that the state remembers: `past` of them, then
// those of the call, so that target `t` is source `past + t`.
import { loadLanes, madd, splat, sumLanes } from '../../tensor-ops/assembly/math';
import { exists, NONE } from './sources';

/** Rows of a tile: targets in the forward pass, sources in the backward one. */
export const TILE: i32 = 64;

export let time: i32 = 0;
export let past: i32 = 0;
export let sources: i32 = 0;
/** The bias counts up to this distance; -1 if it never does. */
export let reach: i32 = 0;
/** How far before a target the sources end whose bias is 0. */
export let lag: i32 = 0;
/** The first source that has a place in the sequence. */
export let begin: i32 = 0;
export let causal: bool = false;
/** Bytes of a row of channels. */
export let row: usize = 0;
/** Bytes of a state. */
export let stateBytes: usize = 0;
let key: usize = 0;
let value: usize = 0;
let mask: usize = 0;
let state: usize = 0;
/** The bias of target `t` and source `i` is at `table + 4 (t step + i)`. */
export let table: usize = 0;
export let step: i32 = 0;
/** The factors of the bias by target and by source, or 0. */
export let u: usize = 0;
export let v: usize = 0;
export let rank: i32 = 0;

export function setCall(
  keys: usize,
  values: usize,
  keyMask: usize,
  states: usize,
  bias: usize,
  biasStep: i32,
  factorOfTargets: usize,
  factorOfSources: usize,
  ranks: i32,
  times: i32,
  dim: i32,
  pasts: i32,
  windowSize: i32,
  first: i32,
  isCausal: i32,
): void {
  key = keys;
  value = values;
  mask = keyMask;
  state = states;
  table = bias;
  step = biasStep;
  u = factorOfTargets;
  v = factorOfSources;
  rank = ranks;
  time = times;
  past = pasts;
  sources = pasts + times;
  reach = windowSize - 1;
  lag = windowSize;
  begin = first;
  causal = isCausal != 0;
  row = <usize>dim << 2;
  stateBytes = row * (3 + 2 * pasts);
}

/** The keys of a source. */
export function keyOf(b: i32, i: i32): usize {
  if (i < past) return state + <usize>b * stateBytes + row * (3 + i);
  return key + (<usize>b * time + (i - past)) * row;
}

export function valueOf(b: i32, i: i32): usize {
  if (i < past) return state + <usize>b * stateBytes + row * (3 + past + i);
  return value + (<usize>b * time + (i - past)) * row;
}

/** Whether a source exists; a state marks one that does not by its keys. */
export function isPresent(b: i32, i: i32): bool {
  if (i < past) return !(load<f32>(keyOf(b, i)) <= NONE / 2);
  return exists(mask, <usize>b * time + (i - past));
}

/** Sources whose bias counts for targets up to `t`: they end before this one. */
// @ts-ignore: decorator
@inline
export function lastSource(t: i32): i32 {
  return causal ? past + t + min(1, reach + 1) : min(sources, past + t + reach + 1);
}

// @ts-ignore: decorator
@inline
export function firstSource(t: i32): i32 {
  return max(begin, past + t - reach);
}

/** Targets for which the bias of source `i` counts: from this one. */
// @ts-ignore: decorator
@inline
export function firstTarget(i: i32): i32 {
  return max(0, causal ? i - past : i - past - reach);
}

/** They end before this one. */
// @ts-ignore: decorator
@inline
export function lastTarget(i: i32): i32 {
  return min(time, i - past + reach + 1);
}

/** Bytes of a tile of the bias that is made from factors. */
export function tileBytes(windowSize: i32, isFactored: i32): usize {
  return isFactored == 0 ? 0 : <usize>(TILE * (TILE + 2 * windowSize)) << 2;
}

function product(a: usize, b: usize): f32 {
  let sum = splat(0.0);
  let r: i32 = 0;
  for (; r + 4 <= rank; r += 4) sum = madd(v128.load(a + (<usize>r << 2)), v128.load(b + (<usize>r << 2)), sum);
  if (r < rank) sum = madd(loadLanes(a + (<usize>r << 2), rank - r), loadLanes(b + (<usize>r << 2), rank - r), sum);
  return sumLanes(sum);
}

/** Makes the bias of targets `from` to `to` and sources `first` to `last` from its factors, where it counts; it is the table until the next one. */
export function makeTile(tile: usize, from: i32, to: i32, first: i32, last: i32): void {
  step = last - first;
  table = tile - <usize>((from * step + first) << 2);
  for (let t = from; t < to; t++) {
    const end = min(last, lastSource(t));
    for (let i = max(first, firstSource(t)); i < end; i++) {
      store<f32>(table + (<usize>(t * step + i) << 2), product(u + <usize>(t * rank) * 4, v + <usize>(i * rank) * 4));
    }
  }
}

/** Where the gradients of a source go. */
let dKey: usize = 0;
let dValue: usize = 0;
let dState: usize = 0;

export function setGradients(dKeys: usize, dValues: usize, dStates: usize): void {
  dKey = dKeys;
  dValue = dValues;
  dState = dStates;
}

export function dKeyOf(b: i32, i: i32): usize {
  if (i < past) return dState + <usize>b * stateBytes + row * (3 + i);
  return dKey + (<usize>b * time + (i - past)) * row;
}

export function dValueOf(b: i32, i: i32): usize {
  if (i < past) return dState + <usize>b * stateBytes + row * (3 + past + i);
  return dValue + (<usize>b * time + (i - past)) * row;
}
