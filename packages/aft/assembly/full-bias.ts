// The position bias of AFT-full, as rows of a table or made from its factors, and e^(bias - largest of the row) as the left factor of a product.
import { packLeft, packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels, TILE_SIZE } from '../../tensor-ops/assembly/gemm-tile';
import { loadLanes, maximum, splat } from '../../tensor-ops/assembly/math';
import { call, factorOf, ROWS, roundUp, take } from './full-call';
import { NONE } from './sources';

/** Rows of the bias, or of its transpose: where they stand, and bytes between them. */
export namespace biasRows {
  export let at: usize = 0;
  export let step: usize = 0;
}

namespace made {
  /** Rows that were made from factors. */
  export let rows: usize = 0;
  /** A few rows of one factor, packed, and all of `u` and `v`. */
  export let few: usize = 0;
  export let u: usize = 0;
  export let v: usize = 0;
  export let spill: usize = 0;
}

/** Takes the working memory of factors; `transposed` if `makeColumns` will be called too. */
export function takeBias(transposed: bool): void {
  made.spill = take(TILE_SIZE);
  if (call.rank == 0) return;
  const longest = transposed ? max(call.source, call.target) : call.source;
  made.rows = take(<usize>ROWS * roundUp(longest, 8));
  made.few = take(<usize>ROWS * call.rank);
  made.v = take(<usize>roundUp(call.source, 8) * call.rank);
  if (transposed) made.u = take(<usize>roundUp(call.target, 8) * call.rank);
}

// @ts-ignore: decorator
@inline
export function spill(): usize {
  return made.spill;
}

export function packFactors(transposed: bool): void {
  if (call.rank == 0) return;
  const row = <usize>call.rank << 2;
  packRight(call.v, row, true, call.source, call.rank, made.v);
  if (transposed) packRight(call.u, row, true, call.target, call.rank, made.u);
}

/** Makes up to ROWS rows of the bias from `begin` on available. */
export function makeRows(begin: i32, count: i32): void {
  if (call.rank == 0) {
    biasRows.step = <usize>call.source << 2;
    biasRows.at = call.bias + biasRows.step * begin;
  } else multiplyFactors(call.u, made.v, begin, count, call.source);
}

/** The same for columns of the bias, as rows; for factors alone. */
export function makeColumns(begin: i32, count: i32): void {
  multiplyFactors(call.v, made.u, begin, count, call.target);
}

function multiplyFactors(left: usize, right: usize, begin: i32, count: i32, length: i32): void {
  const row = <usize>call.rank << 2;
  biasRows.at = made.rows;
  biasRows.step = <usize>roundUp(length, 8) << 2;
  packLeft(left + row * begin, row, false, count, call.rank, made.few);
  multiplyPanels(made.few, right, count, length, call.rank, made.rows, biasRows.step, false, made.spill);
}

/** The largest of `count` floats; NaN does not count. */
export function largestOf(row: usize, count: i32): f32 {
  let largest = splat(NONE);
  const last = row + ((<usize>count) << 2) - 16;
  if (count >= 4) {
    for (let at = row; at < last; at += 16) largest = maximum(largest, v128.load(at));
    // Some of the last four are taken in twice.
    largest = maximum(largest, v128.load(last));
  } else {
    for (let i: i32 = 0; i < count; i++) largest = maximum(largest, v128.load32_splat(row + (<usize>i << 2)));
  }
  return largestLane(largest);
}

export function largestLane(x: v128): f32 {
  return max(max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)), max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)));
}

/**
 * Packs e^(bias - largest) 2^power of `rows` rows and `count` columns from column `begin` on, in panels of four rows; rows up to a multiple of four are 0.
 *
 * @param largest - one float per row if `perRow`, else one per column.
 */
export function packWeights(begin: i32, count: i32, rows: i32, largest: usize, perRow: bool, packed: usize): void {
  for (let i: i32 = 0; i < rows; i += 4) {
    let to = packed + ((<usize>i * count) << 2);
    const row = biasRows.at + biasRows.step * i + (<usize>begin << 2);
    const present = rows - i;
    for (let p: i32 = 0; p < count; p += 4) {
      const at = row + (<usize>p << 2);
      const few = min(count - p, 4);
      const subtrahend = largest + (<usize>(perRow ? i : begin + p) << 2);
      const r0 = weightOf(at, few, 0, present, subtrahend, perRow);
      const r1 = weightOf(at, few, 1, present, subtrahend, perRow);
      const r2 = weightOf(at, few, 2, present, subtrahend, perRow);
      const r3 = weightOf(at, few, 3, present, subtrahend, perRow);
      const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2));
      if (few > 1) v128.store(to, v128.shuffle<i64>(low01, low23, 1, 3), 16);
      if (few > 2) v128.store(to, v128.shuffle<i64>(high01, high23, 0, 2), 32);
      if (few > 3) v128.store(to, v128.shuffle<i64>(high01, high23, 1, 3), 48);
      to += 64;
    }
  }
}

// @ts-ignore: decorator
@inline
function weightOf(at: usize, few: i32, i: i32, present: i32, largest: usize, perRow: bool): v128 {
  if (i >= present) return splat(0.0);
  const from = at + biasRows.step * i;
  const x = few == 4 ? v128.load(from) : loadLanes(from, few);
  const largestHere = perRow ? v128.load32_splat(largest + (i << 2)) : few == 4 ? v128.load(largest) : loadLanes(largest, few);
  return factorOf(f32x4.sub(x, largestHere));
}
