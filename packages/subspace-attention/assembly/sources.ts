// The projected tokens of one head of one batch entry: which of them exist, as factors of products, and what each target's scores are measured by.
import { allFinite, FLOOR, NONE, roundUp, take } from '../../tensor-ops/assembly/attention-head';
import { scaleFloats } from '../../tensor-ops/assembly/attention-panels';
import { packLeft, packRight } from '../../tensor-ops/assembly/gemm-pack';
import { splat } from '../../tensor-ops/assembly/math';
import { call } from './call';
import { normalizeRows } from './normalize-rows';
import { COLUMNS, ROWS, TILE_ROW } from './tile-products';

/** Scores up to which 0 is as good a measure as the largest. */
const FREE: f32 = 30;
/** The largest scores for which another measure than the largest is taken. */
const TOP: f32 = 64;
/** How far scores may be above a measure. */
const ABOVE: f32 = 40;

export namespace sources {
  /** Rows of values: the projected tokens; those that are not finite are 0. */
  export let value: usize = 0;
  /** The same, and 0 where a token does not exist. */
  export let visible: usize = 0;
  /** Rows of queries and keys. */
  export let match: usize = 0;
  /** Scaled queries as left factors, panels of four targets; keys as right factors, panels of eight sources. */
  export let queries: usize = 0;
  export let keys: usize = 0;
  /** All bits set where a source exists; behind the last source 0. */
  export let exists: usize = 0;
  /** NaN for a source that is not finite, else 0. */
  export let poison: usize = 0;
  export let someHidden: bool = false;
  export let lost: bool = false;
  /** Whether all scores of the head are measured by `reference`, so that e^(score - reference) serves both tokens of a pair. */
  export let isUniform: bool = false;
  export let reference: f32 = 0;
  /** Per target what its scores are measured by. */
  export let measure: usize = 0;
  /** Per target whether that is not known yet, but the largest score so far; and whether there is such a target. */
  export let isOpen: usize = 0;
  export let someOpen: bool = false;
}

namespace space {
  export let clean: usize = 0;
  export let seen: usize = 0;
  export let normalized: usize = 0;
  export let scaled: usize = 0;
  export let norms: usize = 0;
}

export function takeSources(): void {
  const rows = <usize>call.source * call.headDim;
  const padded = roundUp(call.source, ROWS) + COLUMNS;
  space.clean = take(rows);
  space.seen = take(rows);
  space.normalized = take(call.gain ? rows : 0);
  space.scaled = take(<usize>ROWS * call.headDim);
  space.norms = take(call.source);
  sources.queries = take(<usize>roundUp(call.target, 4) * call.headDim);
  sources.keys = take(<usize>roundUp(call.source, 8) * call.headDim);
  sources.exists = take(padded);
  sources.poison = take(padded);
  sources.measure = take(roundUp(call.target, 4));
  sources.isOpen = take(call.target);
}

/** Reads the mask of a batch entry, one float per source; 0 if all exist. */
export function openEntry(keyMask: usize): void {
  memory.fill(sources.exists, 0, <usize>(roundUp(call.source, ROWS) + COLUMNS) << 2);
  sources.someHidden = false;
  for (let j: i32 = 0; j < call.source; j++) {
    const at = <usize>j << 2;
    const exists = keyMask == 0 || load<f32>(keyMask + at) != 0;
    store<i32>(sources.exists + at, exists ? -1 : 0);
    if (!exists) sources.someHidden = true;
  }
}

/** Takes up a head. `projected` are the rows of all its sources. */
export function openHead(projected: usize): void {
  const row = <usize>call.headDim << 2;
  sources.value = projected;
  sources.lost = !allFinite(projected, <usize>call.source * call.headDim);
  if (sources.lost) setApart(projected, row);
  sources.visible = sources.value;
  if (sources.someHidden) {
    sources.visible = space.seen;
    memory.copy(space.seen, sources.value, row * call.source);
    for (let j: i32 = 0; j < call.source; j++) {
      if (load<i32>(sources.exists + (<usize>j << 2)) == 0) memory.fill(space.seen + row * j, 0, row);
    }
  }
  sources.match = sources.value;
  if (call.gain) {
    sources.match = space.normalized;
    normalizeRows(sources.value, call.source, call.headDim, call.gain, space.normalized);
  }
  packRight(sources.match, row, true, call.source, call.headDim, sources.keys);
  for (let t: i32 = 0; t < call.target; t += ROWS) {
    const count = min(ROWS, call.target - t);
    memory.copy(space.scaled, sources.match + row * (call.past + t), row * count);
    scaleFloats(space.scaled, <usize>count * call.headDim, call.scale);
    packLeft(space.scaled, row, false, count, call.headDim, sources.queries + row * t);
  }
  chooseMeasure();
}

/** Copies rows that are finite, and marks the others. */
function setApart(projected: usize, row: usize): void {
  memory.fill(sources.poison, 0, <usize>(roundUp(call.source, ROWS) + COLUMNS) << 2);
  for (let j: i32 = 0; j < call.source; j++) {
    const finite = allFinite(projected + row * j, call.headDim);
    if (finite) memory.copy(space.clean + row * j, projected + row * j, row);
    else memory.fill(space.clean + row * j, 0, row);
    if (!finite) store<i32>(sources.poison + (<usize>j << 2), 0x7fc00000);
  }
  sources.value = space.clean;
}

/**
 * Softmax may measure scores by any number near the largest. By Cauchy and Schwarz no score of a pair is above the product of their norms, and a token that
 * sees itself has its squared norm as a score: where that leaves little room, a number is known before the scores are. In the causal case it depends on earlier
 * tokens alone.
 */
function chooseMeasure(): void {
  const size = abs<f32>(call.scale);
  let most: f32 = 0;
  for (let j: i32 = 0; j < call.source; j++) {
    const norm = normOf(sources.match + ((<usize>j * call.headDim) << 2));
    store<f32>(space.norms + (<usize>j << 2), norm);
    most = max(most, norm);
  }
  const top = size * most * most;
  sources.isUniform = false;
  if (!call.causal && !sources.lost) {
    const selfSeen = call.scale > 0 && !call.maskSelf && !sources.someHidden;
    sources.isUniform = top <= FREE || (selfSeen && top <= TOP);
    sources.reference = top <= FREE ? 0 : top - ABOVE / 2;
  }
  let largest: f32 = 0;
  sources.someOpen = false;
  for (let j: i32 = 0; j < call.source; j++) {
    const at = <usize>j << 2;
    const norm = load<f32>(space.norms + at);
    largest = call.causal ? max(largest, norm) : most;
    const t = j - call.past;
    if (t < 0) continue;
    const bound = size * norm * largest;
    const own = size * norm * norm;
    const selfSeen = call.scale > 0 && !call.maskSelf && load<i32>(sources.exists + at) != 0;
    let measure = FLOOR;
    if (sources.isUniform) measure = sources.reference;
    else if (bound <= FREE) measure = 0;
    else if (selfSeen && bound <= TOP && bound - own <= ABOVE) measure = own;
    store<f32>(sources.measure + (<usize>t << 2), measure);
    store<i32>(sources.isOpen + (<usize>t << 2), i32(measure == FLOOR));
    if (measure == FLOOR) sources.someOpen = true;
  }
}

function normOf(row: usize): f32 {
  let squares: f32 = 0;
  for (let c: i32 = 0; c < call.headDim; c++) {
    const x = load<f32>(row + (<usize>c << 2));
    squares += x * x;
  }
  return sqrt<f32>(squares);
}

/** Whether targets from number `target` on, up to ROWS of them, may not see all of the sources of a tile. */
export function hidesSome(target: i32, source: i32): bool {
  if (sources.someHidden || sources.lost || source + COLUMNS > call.source) return true;
  const first = call.past + target;
  if (call.causal && source + COLUMNS > first + 1) return true;
  return call.maskSelf && source < first + ROWS && source + COLUMNS > first;
}

/** Replaces scores of pairs that are hidden by NONE, and of those that are seen and not finite by NaN. */
export function hide(scores: usize, target: i32, rows: i32, source: i32): void {
  const place0 = i32x4.add(i32x4.splat(source), i32x4(0, 1, 2, 3));
  for (let i: i32 = 0; i < rows; i++) {
    const own = call.past + target + i;
    const ownPlace = i32x4.splat(own);
    let place = place0;
    for (let at: usize = 0; at < TILE_ROW; at += 16, place = i32x4.add(place, i32x4.splat(4))) {
      const j = (<usize>source << 2) + at;
      let seen = v128.load(sources.exists + j);
      if (call.causal) seen = v128.and(seen, i32x4.le_s(place, ownPlace));
      if (call.maskSelf) seen = v128.and(seen, i32x4.ne(place, ownPlace));
      let score = v128.load(scores + at);
      if (sources.lost) {
        const ofTarget = v128.load32_splat(sources.poison + (<usize>own << 2));
        score = f32x4.add(score, f32x4.add(v128.load(sources.poison + j), ofTarget));
      }
      v128.store(scores + at, v128.bitselect(score, splat(NONE), seen));
    }
    scores += TILE_ROW;
  }
}
