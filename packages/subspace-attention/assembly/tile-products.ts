// Products of a tile of weights with rows of channels, in place: the tile has rows of COLUMNS floats, and is a left factor as it is or transposed, so that
// what goes to its targets and what goes to its sources are made from one tile, and nothing is packed or turned.
import { madd } from '../../tensor-ops/assembly/math';

/** Targets and sources of a tile. */
export const ROWS: i32 = 64;
export const COLUMNS: i32 = 32;
/** Bytes of a row of a tile. */
export const TILE_ROW: usize = 128;

/**
 * Adds to `rows` rows of `out`, from which on a tile's targets lie, the products of tile `a` with `depth` rows of `right`, and of tile `b` with those of
 * `rightB`; `b` is 0 for none. Right factors are panels of 8 channels, `panel` (`panelB`) bytes apart; `out` has as many.
 */
export function addAlong(
  out: usize, outRow: usize, rows: i32, channels: i32, depth: i32, a: usize, right: usize, panel: usize, b: usize, rightB: usize, panelB: usize,
): void {
  for (let c: i32 = 0; c < channels; c += 8, right += panel, rightB += panelB) {
    let to = out + (<usize>c << 2);
    for (let i: i32 = 0; i < rows; i += 4, to += outRow << 2) {
      const at = TILE_ROW * i;
      tileAlong(to, outRow, depth, a + at, right, b ? b + at : 0, rightB);
    }
  }
}

/** As `addAlong` with the tiles transposed: `out` has a row for each of the `rows` sources, and `depth` counts targets. */
export function addAcross(
  out: usize, outRow: usize, rows: i32, channels: i32, depth: i32, a: usize, right: usize, panel: usize, b: usize, rightB: usize, panelB: usize,
): void {
  for (let c: i32 = 0; c < channels; c += 8, right += panel, rightB += panelB) {
    let to = out + (<usize>c << 2);
    for (let j: i32 = 0; j < rows; j += 4, to += outRow << 2) {
      const at = <usize>j << 2;
      tileAcross(to, outRow, depth, a + at, right, b ? b + at : 0, rightB);
    }
  }
}

// The two differ in where the next row and the next element of the left factor lie. Offsets of loads are part of the instruction, so each is written out.

function tileAlong(out: usize, outRow: usize, depth: i32, a: usize, right: usize, b: usize, rightB: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (;;) {
    const end = right + (<usize>depth << 5);
    while (right < end) {
      const b0 = v128.load(right);
      const b1 = v128.load(right, 16);
      let x = v128.load32_splat(a);
      c00 = madd(x, b0, c00);
      c01 = madd(x, b1, c01);
      x = v128.load32_splat(a, 128);
      c10 = madd(x, b0, c10);
      c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 256);
      c20 = madd(x, b0, c20);
      c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 384);
      c30 = madd(x, b0, c30);
      c31 = madd(x, b1, c31);
      a += 4;
      right += 32;
    }
    if (b == 0) break;
    a = b;
    right = rightB;
    b = 0;
  }
  addRow(out, c00, c01);
  addRow(out + outRow, c10, c11);
  addRow(out + outRow * 2, c20, c21);
  addRow(out + outRow * 3, c30, c31);
}

function tileAcross(out: usize, outRow: usize, depth: i32, a: usize, right: usize, b: usize, rightB: usize): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  for (;;) {
    const end = right + (<usize>depth << 5);
    while (right < end) {
      const b0 = v128.load(right);
      const b1 = v128.load(right, 16);
      let x = v128.load32_splat(a);
      c00 = madd(x, b0, c00);
      c01 = madd(x, b1, c01);
      x = v128.load32_splat(a, 4);
      c10 = madd(x, b0, c10);
      c11 = madd(x, b1, c11);
      x = v128.load32_splat(a, 8);
      c20 = madd(x, b0, c20);
      c21 = madd(x, b1, c21);
      x = v128.load32_splat(a, 12);
      c30 = madd(x, b0, c30);
      c31 = madd(x, b1, c31);
      a += TILE_ROW;
      right += 32;
    }
    if (b == 0) break;
    a = b;
    right = rightB;
    b = 0;
  }
  addRow(out, c00, c01);
  addRow(out + outRow, c10, c11);
  addRow(out + outRow * 2, c20, c21);
  addRow(out + outRow * 3, c30, c31);
}

// @ts-ignore: decorator
@inline
function addRow(out: usize, x0: v128, x1: v128): void {
  v128.store(out, f32x4.add(x0, v128.load(out)));
  v128.store(out, f32x4.add(x1, v128.load(out, 16)), 16);
}
