import { TILE_COLUMNS, TILE_ROWS } from './gemm-tile';
import { loadLanes } from './math';

// Packed panels: the elements that one register tile reads, in the order it reads them. A panel of width W holds `depth` groups of W floats;
// panels of W follow each other, the last one filled up with zeros. Both factors are packed alike, along rows (W = 4) or columns (W = 8).

/**
 * Packs `rows` x `depth` of the left factor into panels of 4 rows.
 *
 * @param source - element (0, 0). @param stride - bytes between rows of the matrix in memory.
 * @param transposed - whether memory holds the transpose, `[depth, rows]`.
 * @param target - `roundUp(rows, 4) * depth` floats.
 */
export function packLeft(source: usize, stride: usize, transposed: bool, rows: i32, depth: i32, target: usize): void {
  if (transposed) packAcross(source, stride, rows, depth, target, TILE_ROWS);
  else packAlong(source, stride, rows, depth, target, TILE_ROWS);
}

/**
 * Packs `depth` x `columns` of the right factor into panels of 8 columns; `target` takes `roundUp(columns, 8) * depth` floats.
 *
 * @param transposed - whether memory holds the transpose, `[columns, depth]`.
 */
export function packRight(source: usize, stride: usize, transposed: bool, columns: i32, depth: i32, target: usize): void {
  if (transposed) packAlong(source, stride, columns, depth, target, TILE_COLUMNS);
  else packAcross(source, stride, columns, depth, target, TILE_COLUMNS);
}

/** Source `[depth, extent]`: a group of the panel is contiguous in memory. */
// @ts-ignore: decorator
@inline
function packAcross(source: usize, stride: usize, extent: i32, depth: i32, target: usize, width: i32): void {
  const panel = (<usize>depth * width) << 2;
  const group = <usize>width << 2;
  const whole = extent & -width;
  // Four rows at a time along all panels: memory is read in order, and written in whole cache lines.
  for (let p = 0; p < depth; p += 4) {
    const rows = min(depth - p, 4);
    let from = source + stride * p;
    let to = target + group * p;
    for (let j = 0; j < whole; j += width) {
      if (rows == 4) {
        copyGroup(from, to, width);
        copyGroup(from + stride, to + group, width);
        copyGroup(from + stride * 2, to + group * 2, width);
        copyGroup(from + stride * 3, to + group * 3, width);
      } else {
        for (let i = 0; i < rows; i++) copyGroup(from + stride * i, to + group * i, width);
      }
      from += group;
      to += panel;
    }
    const count = extent - whole;
    if (count) {
      for (let i = 0; i < rows; i++) {
        v128.store(to, loadLanes(from, count));
        if (width == 8) v128.store(to, count > 4 ? loadLanes(from + 16, count - 4) : f32x4.splat(0), 16);
        from += stride;
        to += group;
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function copyGroup(from: usize, to: usize, width: i32): void {
  v128.store(to, v128.load(from));
  if (width == 8) v128.store(to, v128.load(from, 16), 16);
}

/** Source `[extent, depth]`: four rows at a time, transposed in registers. */
// @ts-ignore: decorator
@inline
function packAlong(source: usize, stride: usize, extent: i32, depth: i32, target: usize, width: i32): void {
  const step = <usize>width << 2;
  const end = (extent + width - 1) & -width;
  for (let j = 0; j < end; j += 4) {
    const part = j & (width - 1);
    let to = target + ((<usize>depth * (j - part) + part) << 2);
    let from = source + stride * j;
    if (j + 4 > extent) {
      packRows(from, stride, extent - j, depth, to, step);
      continue;
    }
    let p = 0;
    for (; p + 4 <= depth; p += 4) {
      const r0 = v128.load(from), r1 = v128.load(from + stride), r2 = v128.load(from + stride * 2), r3 = v128.load(from + stride * 3);
      const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2));
      v128.store(to + step, v128.shuffle<i64>(low01, low23, 1, 3));
      v128.store(to + step * 2, v128.shuffle<i64>(high01, high23, 0, 2));
      v128.store(to + step * 3, v128.shuffle<i64>(high01, high23, 1, 3));
      from += 16;
      to += step * 4;
    }
    packRows(from, stride, 4, depth - p, to, step);
  }
}

/** The remainder of `packAlong`: up to 4 rows (none if `rows` <= 0), element by element, zeros for the others. */
function packRows(from: usize, stride: usize, rows: i32, depth: i32, to: usize, step: usize): void {
  for (let p = 0; p < depth; p++) {
    store<f32>(to, rows > 0 ? load<f32>(from) : 0);
    store<f32>(to, rows > 1 ? load<f32>(from + stride) : 0, 4);
    store<f32>(to, rows > 2 ? load<f32>(from + stride * 2) : 0, 8);
    store<f32>(to, rows > 3 ? load<f32>(from + stride * 3) : 0, 12);
    from += 4;
    to += step;
  }
}
