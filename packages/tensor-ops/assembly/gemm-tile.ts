import { madd } from './math';

/** Rows of a register tile. 4 x 8 is 8 accumulators, 2 vectors of the right panel and 1 splat: what fits 16 registers. */
export const TILE_ROWS: i32 = 4;
/** Columns of a register tile. */
export const TILE_COLUMNS: i32 = 8;
/** Floats of a tile: the working memory of `multiplyPanels`. */
export const TILE_SIZE: i32 = TILE_ROWS * TILE_COLUMNS;

/**
 * Sets `out`, or adds to it if `accumulate`, the product of `rows` x `depth` and `depth` x `columns`, both packed (`gemm-pack.ts`).
 *
 * Each element is the sum over `depth` in order from 0, added to what was there once.
 *
 * @param outRow - bytes between rows of the output. @param spill - `TILE_SIZE` floats, for tiles that overhang the output.
 */
export function multiplyPanels(
  left: usize, right: usize, rows: i32, columns: i32, depth: i32, out: usize, outRow: usize, accumulate: bool, spill: usize,
): void {
  const leftPanel = (<usize>depth * TILE_ROWS) << 2;
  const rightPanel = (<usize>depth * TILE_COLUMNS) << 2;
  for (let j = 0; j < columns; j += TILE_COLUMNS) {
    const tileColumns = min(columns - j, TILE_COLUMNS);
    let panel = left;
    let target = out + (<usize>j << 2);
    for (let i = 0; i < rows; i += TILE_ROWS) {
      const tileRows = min(rows - i, TILE_ROWS);
      const fits = tileRows == TILE_ROWS && tileColumns == TILE_COLUMNS;
      tile(panel, right, depth, fits ? target : spill, fits ? outRow : TILE_COLUMNS * 4, fits && accumulate);
      if (!fits) unspill(spill, target, outRow, tileRows, tileColumns, accumulate);
      panel += leftPanel;
      target += outRow * TILE_ROWS;
    }
    right += rightPanel;
  }
}

/** out[4, 8] = (out +) left right, for a panel of each. Not unrolled: V8 then loads ahead, and spills accumulators. */
// @ts-ignore: decorator
@inline
function tile(left: usize, right: usize, depth: i32, out: usize, outRow: usize, accumulate: bool): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const end = right + ((<usize>depth * TILE_COLUMNS) << 2);
  while (right < end) {
    const b0 = v128.load(right);
    const b1 = v128.load(right, 16);
    let a = v128.load32_splat(left);
    c00 = madd(a, b0, c00);
    c01 = madd(a, b1, c01);
    a = v128.load32_splat(left, 4);
    c10 = madd(a, b0, c10);
    c11 = madd(a, b1, c11);
    a = v128.load32_splat(left, 8);
    c20 = madd(a, b0, c20);
    c21 = madd(a, b1, c21);
    a = v128.load32_splat(left, 12);
    c30 = madd(a, b0, c30);
    c31 = madd(a, b1, c31);
    left += TILE_ROWS * 4;
    right += TILE_COLUMNS * 4;
  }
  storeRow(out, c00, c01, accumulate);
  storeRow(out + outRow, c10, c11, accumulate);
  storeRow(out + outRow * 2, c20, c21, accumulate);
  storeRow(out + outRow * 3, c30, c31, accumulate);
}

// @ts-ignore: decorator
@inline
function storeRow(out: usize, x0: v128, x1: v128, accumulate: bool): void {
  if (accumulate) {
    x0 = f32x4.add(x0, v128.load(out));
    x1 = f32x4.add(x1, v128.load(out, 16));
  }
  v128.store(out, x0);
  v128.store(out, x1, 16);
}

function unspill(spill: usize, out: usize, outRow: usize, rows: i32, columns: i32, accumulate: bool): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const x = load<f32>(spill + ((i * TILE_COLUMNS + j) << 2));
      const at = out + (<usize>j << 2);
      store<f32>(at, accumulate ? x + load<f32>(at) : x);
    }
    out += outRow;
  }
}
