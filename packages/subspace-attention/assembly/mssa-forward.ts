// Attention of one head over its projected tokens, tile by tile. Where all scores have one reference and nothing is causal, a tile serves both tokens of its
// pairs: of the tiles to the right of the diagonal scores and exponentials are made, and two products.
import { roundUp, take } from '../../tensor-ops/assembly/attention-head';
import { scaleFloats } from '../../tensor-ops/assembly/attention-panels';
import { packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels, TILE_SIZE } from '../../tensor-ops/assembly/gemm-tile';
import { expNegative, maximum, scalarExp, splat, sumLanes } from '../../tensor-ops/assembly/math';
import { call } from './call';
import { hide, hidesSome, openHead, sources, takeSources } from './sources';
import { addAcross, addAlong, COLUMNS, ROWS, TILE_ROW } from './tile-products';

namespace space {
  /** Scores, then exponentials. */
  export let tile: usize = 0;
  /** Values as right factors, panels of eight channels over all sources. */
  export let values: usize = 0;
  /** Sums of values weighed, a row per target. */
  export let sums: usize = 0;
  /** Sums of exponentials: four per target from tiles in whose rows it is, one from tiles in whose columns. */
  export let along: usize = 0;
  export let across: usize = 0;
  export let spill: usize = 0;
}

export function takeForward(): void {
  takeSources();
  const targets = <usize>roundUp(call.target, ROWS);
  space.spill = take(TILE_SIZE);
  space.tile = take(ROWS * COLUMNS);
  space.values = take(<usize>call.channels * call.source);
  space.sums = take(targets * call.channels);
  space.along = take(targets * 4);
  space.across = take(targets + COLUMNS);
}

/** `mixed` gets a row per target; `largest` and `denominator` a number, or nothing where they are 0. */
export function attendHead(projected: usize, mixed: usize, largest: usize, denominator: usize): void {
  openHead(projected);
  const row = <usize>call.headDim << 2;
  const sumRow = <usize>call.channels << 2;
  const targets = <usize>roundUp(call.target, ROWS);
  packRight(sources.visible, row, false, call.headDim, call.source, space.values);
  memory.fill(space.sums, 0, sumRow * targets);
  memory.fill(space.along, 0, targets << 4);
  memory.fill(space.across, 0, (targets + COLUMNS) << 2);
  for (let t: i32 = 0; t < call.target; t += ROWS) {
    const count = min(ROWS, call.target - t);
    const first = sources.isUniform ? t : 0;
    const end = call.causal ? call.past + t + count : call.source;
    for (let s = first; s < end; s += COLUMNS) {
      const width = min(COLUMNS, call.source - s);
      if (sources.isUniform && s >= t + ROWS) attendBoth(t, count, s, width);
      else attendOne(t, count, s, width);
    }
  }
  for (let t: i32 = 0; t < call.target; t++) {
    const at = <usize>t << 2;
    const sum = load<f32>(space.across + at) + sumLanes(v128.load(space.along + (at << 2)));
    finishRow(space.sums + sumRow * t, sum, mixed + row * t);
    if (largest) {
      store<f32>(largest + at, load<f32>(sources.measure + at));
      store<f32>(denominator + at, sum);
    }
  }
}

/** Divides by the sum of exponentials; 0 where there was nothing to attend to. */
function finishRow(sums: usize, sum: f32, out: usize): void {
  const inverse: f32 = sum == 0 ? 0 : 1 / sum;
  for (let c: i32 = 0; c < call.headDim; c++) {
    const at = <usize>c << 2;
    store<f32>(out + at, load<f32>(sums + at) * inverse);
  }
}

function makeScores(t: i32, rows: i32, s: i32, width: i32): void {
  const row = <usize>call.headDim << 2;
  const columns = roundUp(width, 8);
  multiplyPanels(sources.queries + row * t, sources.keys + row * s, rows, columns, call.headDim, space.tile, TILE_ROW, false, space.spill);
}

/** A tile of which the rows alone are targets. */
function attendOne(t: i32, count: i32, s: i32, width: i32): void {
  const rows = roundUp(count, 4);
  const sumRow = <usize>call.channels << 2;
  makeScores(t, rows, s, width);
  if (hidesSome(t, s)) hide(space.tile, t, rows, s);
  if (sources.someOpen) raiseMeasures(t, count, width);
  const measures = sources.measure + (<usize>t << 2);
  for (let j: i32 = 0; j < width; j += 8) {
    let at = space.tile + (<usize>j << 2);
    let sum = space.along + (<usize>t << 4);
    for (let i: i32 = 0; i < rows; i++, at += TILE_ROW, sum += 16) {
      const measure = v128.load32_splat(measures + (<usize>i << 2));
      const e0 = expNegative(f32x4.sub(v128.load(at), measure));
      const e1 = expNegative(f32x4.sub(v128.load(at, 16), measure));
      v128.store(at, e0);
      v128.store(at, e1, 16);
      v128.store(sum, f32x4.add(v128.load(sum), f32x4.add(e0, e1)));
    }
  }
  addAlong(
    space.sums + sumRow * t, sumRow, rows, call.channels, width,
    space.tile, space.values + (<usize>s << 5), <usize>call.source << 5, 0, 0, 0,
  );
}

/** A tile in which the columns are targets of the rows too. */
function attendBoth(t: i32, count: i32, s: i32, width: i32): void {
  const rows = roundUp(count, 4);
  const sumRow = <usize>call.channels << 2;
  const panel = <usize>call.source << 5;
  makeScores(t, rows, s, width);
  const reference = splat(sources.reference);
  for (let j: i32 = 0; j < width; j += 8) {
    let at = space.tile + (<usize>j << 2);
    let sum = space.along + (<usize>t << 4);
    const place = (<usize>s << 2) + (<usize>j << 2);
    const exists0 = v128.load(sources.exists + place), exists1 = v128.load(sources.exists + place, 16);
    let across0 = splat(0.0), across1 = splat(0.0);
    let exists = sources.exists + (<usize>t << 2);
    for (let i: i32 = 0; i < rows; i++, at += TILE_ROW, sum += 16, exists += 4) {
      const e0 = expNegative(f32x4.sub(v128.load(at), reference));
      const e1 = expNegative(f32x4.sub(v128.load(at, 16), reference));
      v128.store(at, e0);
      v128.store(at, e1, 16);
      const own = v128.load32_splat(exists);
      across0 = f32x4.add(across0, v128.and(e0, own));
      across1 = f32x4.add(across1, v128.and(e1, own));
      v128.store(sum, f32x4.add(v128.load(sum), f32x4.add(v128.and(e0, exists0), v128.and(e1, exists1))));
    }
    const to = space.across + place;
    v128.store(to, f32x4.add(v128.load(to), across0));
    v128.store(to, f32x4.add(v128.load(to, 16), across1), 16);
  }
  addAlong(space.sums + sumRow * t, sumRow, rows, call.channels, width, space.tile, space.values + (<usize>s << 5), panel, 0, 0, 0);
  addAcross(
    space.sums + sumRow * s, sumRow, roundUp(width, 4), call.channels, count,
    space.tile, space.values + (<usize>t << 5), panel, 0, 0, 0,
  );
}

/** Moves targets whose scores have no known measure on to the largest score so far. */
function raiseMeasures(t: i32, count: i32, width: i32): void {
  const sumRow = <usize>call.channels << 2;
  const end = <usize>roundUp(width, 8) << 2;
  for (let i: i32 = 0; i < count; i++) {
    const place = <usize>(t + i) << 2;
    if (load<i32>(sources.isOpen + place) == 0) continue;
    const row = space.tile + TILE_ROW * i;
    const old = load<f32>(sources.measure + place);
    let largest = splat(old);
    // A NaN is dropped here, and makes the exponential NaN.
    for (let at: usize = 0; at < end; at += 16) largest = maximum(largest, v128.load(row + at));
    largest = maximum(largest, v128.shuffle<i64>(largest, largest, 1, 0));
    largest = maximum(largest, v128.shuffle<f32>(largest, largest, 1, 0, 3, 2));
    const found = f32x4.extract_lane(largest, 0);
    if (found == old) continue;
    store<f32>(sources.measure + place, found);
    const factor = scalarExp(old - found);
    const along = space.along + (place << 2);
    v128.store(along, f32x4.mul(v128.load(along), splat(factor)));
    scaleFloats(space.sums + sumRow * (t + i), call.channels, factor);
  }
}
