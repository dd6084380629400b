// The position bias of AFT-full, as rows of a table or made from its factors, and e^(bias - largest of the row) as the left factor of a product.
import { packLeft, packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels, TILE_SIZE } from '../../tensor-ops/assembly/gemm-tile';
import { maximum, splat } from '../../tensor-ops/assembly/math';
import { BLOCK, call, factorOf, fourFrom, ROWS, roundUp, take } from './full-call';
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
  weighed.at = take(ROWS * BLOCK);
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

/** Packs the weights of `rows` rows of the bias and `count` columns from column `begin` on as a left factor. `largest` as of `weigh`. */
export function packWeights(begin: i32, count: i32, rows: i32, largest: usize, perRow: bool, packed: usize): void {
  const at = perRow ? largest : largest + (<usize>begin << 2);
  weigh(biasRows.at + (<usize>begin << 2), biasRows.step, rows, count, at, perRow, count);
  packLeft(weighed.at, weighed.step, false, rows, count, packed);
}

/** What `weigh` made. */
export namespace weighed {
  export let at: usize = 0;
  /** Bytes between rows. */
  export let step: usize = 0;
}

/**
 * e^(bias - largest) 2^power of `rows` rows of `columns` columns.
 *
 * @param largest - one float per row if `perRow`, else one per column.
 * @param seen - how many columns count in the first row, one more in each that follows; the others are 0.
 */
export function weigh(from: usize, step: usize, rows: i32, columns: i32, largest: usize, perRow: bool, seen: i32): void {
  weighed.step = <usize>roundUp(columns, 4) << 2;
  let row = weighed.at;
  for (let i: i32 = 0; i < rows; i++, from += step, row += weighed.step) {
    const ofRow = v128.load32_splat(largest + (<usize>(perRow ? i : 0) << 2));
    for (let j: i32 = 0; j < columns; j += 4) {
      const at = <usize>j << 2;
      const subtrahend = perRow ? ofRow : fourFrom(largest + at, columns - j);
      v128.store(row + at, factorOf(f32x4.sub(fourFrom(from + at, columns - j), subtrahend)));
    }
    const end = max(seen + i, 0);
    if (end < columns) memory.fill(row + (<usize>end << 2), 0, <usize>(columns - end) << 2);
  }
}
