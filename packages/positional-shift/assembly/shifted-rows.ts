// Rows of a grid [batch, height, width] as a term reads them, packed for `multiplyPanels` of tensor-ops straight from where they lie.
import { loadLanes } from '../../tensor-ops/assembly/math';
import { endOf, firstOf, otherOf } from './boundary';
import { addRows } from './rows';

/** What a packing reads; two 32-bit places of memory hold the offsets of a term, along the height and along the width. */
@unmanaged
export class Grid {
  /** The rows, `dim` floats each. */
  x: usize;
  dim: i32;
  height: i32;
  width: i32;
  offsets: usize;
  boundary: i32;
  /** Whether what reads a place is summed, instead of what it reads. */
  adjoint: bool;
  /** A row of zeros of at least 256 floats, then four rows for sums. */
  spare: usize;
}

/** Bytes of an entry of `listPlaces`. */
export const PLACE: usize = 12;

/** Floats of a spare row: the most channels that are packed at once. */
export const SPARE: i32 = 256;

/** Lists where rows [first, first + count) of the output stand: the first row of their image, then their place along the height and the width. */
export function listPlaces(table: usize, first: i32, count: i32, height: i32, width: i32): void {
  const line = first / width;
  let x = first - line * width;
  let y = line % height;
  let image = (line - y) * width;
  for (let i: i32 = 0; i < count; i++) {
    store<i32>(table, image);
    store<i32>(table, y, 4);
    store<i32>(table, x, 8);
    table += PLACE;
    if (++x == width) {
      x = 0;
      if (++y == height) {
        y = 0;
        image += height * width;
      }
    }
  }
}

/** The address of `count` channels from `channel` on of what a term reads at a place; `slot` is the spare row that takes a sum. */
export function rowAt(grid: Grid, place: usize, term: i32, channel: i32, count: i32, slot: i32): usize {
  const dy = load<i32>(grid.offsets + (<usize>term << 3));
  const dx = load<i32>(grid.offsets + (<usize>term << 3), 4);
  const y = load<i32>(place, 4), x = load<i32>(place, 8);
  const firstY = firstOf(y, dy, grid.height, grid.boundary, grid.adjoint), endY = endOf(y, dy, grid.height, grid.boundary, grid.adjoint);
  const otherY = otherOf(y, dy, grid.height, grid.boundary, grid.adjoint);
  const firstX = firstOf(x, dx, grid.width, grid.boundary, grid.adjoint), endX = endOf(x, dx, grid.width, grid.boundary, grid.adjoint);
  const otherX = otherOf(x, dx, grid.width, grid.boundary, grid.adjoint);
  const row = <usize>grid.dim << 2;
  const image = grid.x + row * load<i32>(place) + (<usize>channel << 2);
  if (endY - firstY == 1 && endX - firstX == 1 && (otherY & otherX) == -1) return image + row * (firstY * grid.width + firstX);
  if ((endY <= firstY && otherY < 0) || (endX <= firstX && otherX < 0)) return grid.spare;
  const sum = grid.spare + (<usize>SPARE << 2) * (slot + 1);
  memory.fill(sum, 0, <usize>count << 2);
  for (let line = firstY; line < endY; line++) addLine(image + row * (line * grid.width), row, firstX, endX, otherX, sum, count);
  if (otherY >= 0) addLine(image + row * (otherY * grid.width), row, firstX, endX, otherX, sum, count);
  return sum;
}

function addLine(line: usize, row: usize, first: i32, end: i32, other: i32, sum: usize, count: i32): void {
  addRows(line + row * first, row, end - first, sum, count);
  if (other >= 0) addRows(line + row * other, row, 1, sum, count);
}

/**
 * Packs rows of `places` into panels of 4 rows, for `depth` columns from `first` on of the matrix whose column `term * dim + channel` is that channel of what the term reads.
 */
export function packShifted(grid: Grid, places: usize, rows: i32, first: i32, depth: i32, target: usize): void {
  const dim = grid.dim;
  const end = first + depth;
  for (let i: i32 = 0; i < rows; i += 4) {
    const place = places + PLACE * i;
    for (let q = first; q < end; ) {
      const term = q / dim;
      const channel = q - term * dim;
      const count = min(dim - channel, end - q);
      const r0 = rowAt(grid, place, term, channel, count, 0);
      const r1 = i + 1 < rows ? rowAt(grid, place + PLACE, term, channel, count, 1) : grid.spare;
      const r2 = i + 2 < rows ? rowAt(grid, place + PLACE * 2, term, channel, count, 2) : grid.spare;
      const r3 = i + 3 < rows ? rowAt(grid, place + PLACE * 3, term, channel, count, 3) : grid.spare;
      packFour(r0, r1, r2, r3, count, target, 16);
      target += <usize>count << 4;
      q += count;
    }
  }
}

/**
 * Packs columns [column, column + columns) of parameters [term, columns of all, dim] into panels of 8, for `depth` rows from `first` on of the matrix whose row
 * `term * dim + channel` is that channel of every column.
 */
export function packTransposed(
  theta: usize, dim: i32, allColumns: i32, column: i32, columns: i32, first: i32, depth: i32, zeros: usize, target: usize,
): void {
  const end = first + depth;
  const row = <usize>dim << 2;
  for (let j: i32 = 0; j < columns; j += 8) {
    for (let q = first; q < end; ) {
      const term = q / dim;
      const channel = q - term * dim;
      const count = min(dim - channel, end - q);
      let from = theta + row * (term * allColumns + column + j) + (<usize>channel << 2);
      for (let half: i32 = 0; half < 8; half += 4) {
        const left = columns - j - half;
        packFour(
          left > 0 ? from : zeros, left > 1 ? from + row : zeros, left > 2 ? from + row * 2 : zeros, left > 3 ? from + row * 3 : zeros,
          count, target + (<usize>half << 2), 32,
        );
        from += row * 4;
      }
      target += <usize>count << 5;
      q += count;
    }
  }
}

/** Interleaves `count` floats of four rows, groups of four `step` bytes apart. */
function packFour(r0: usize, r1: usize, r2: usize, r3: usize, count: i32, to: usize, step: usize): void {
  let p: i32 = 0;
  for (; p + 4 <= count; p += 4) {
    const a = v128.load(r0), b = v128.load(r1), c = v128.load(r2), d = v128.load(r3);
    const lowAb = v128.shuffle<f32>(a, b, 0, 4, 1, 5), highAb = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const lowCd = v128.shuffle<f32>(c, d, 0, 4, 1, 5), highCd = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(lowAb, lowCd, 0, 2));
    v128.store(to + step, v128.shuffle<i64>(lowAb, lowCd, 1, 3));
    v128.store(to + step * 2, v128.shuffle<i64>(highAb, highCd, 0, 2));
    v128.store(to + step * 3, v128.shuffle<i64>(highAb, highCd, 1, 3));
    r0 += 16;
    r1 += 16;
    r2 += 16;
    r3 += 16;
    to += step * 4;
  }
  for (; p < count; p++) {
    store<f32>(to, load<f32>(r0));
    store<f32>(to, load<f32>(r1), 4);
    store<f32>(to, load<f32>(r2), 8);
    store<f32>(to, load<f32>(r3), 12);
    r0 += 4;
    r1 += 4;
    r2 += 4;
    r3 += 4;
    to += step;
  }
}

/** Packs `rows` channels, rows of the left factor, from `channel` on of `depth` source rows, whose addresses `sources` lists (0 for zeros), into panels of 4. */
export function packChannels(sources: usize, channel: i32, rows: i32, depth: i32, target: usize): void {
  const panel = <usize>depth << 4;
  for (let p: i32 = 0; p < depth; p++) {
    const row = <usize>load<u32>(sources + (<usize>p << 2));
    let to = target + (<usize>p << 4);
    for (let c: i32 = 0; c < rows; c += 4) {
      v128.store(to, row ? loadLanes(row + (<usize>(channel + c) << 2), rows - c) : f32x4.splat(0));
      to += panel;
    }
  }
}
