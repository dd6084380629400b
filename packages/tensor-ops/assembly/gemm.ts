import { finish } from './gemm-epilogue';
import { packLeft, packRight } from './gemm-pack';
import { multiplyRow } from './gemm-row';
import { multiplyPanels, TILE_COLUMNS, TILE_ROWS, TILE_SIZE } from './gemm-tile';

// Blocked matrix product after Goto and van de Geijn, Anatomy of high-performance matrix multiplication, 2008. A right panel of DEPTH x 8
// stays in the first-level cache, a left block of ROWS x DEPTH in the second. An element is the sum over `depth` in order within each block
// of DEPTH, and the blocks are added in order: the partial sums keep the rounding error small, and the bits depend on the element's row and
// column of the factors alone, whatever way these are laid out or the work is divided.

const DEPTH: i32 = 256;
const ROWS: i32 = 24;
const COLUMNS: i32 = 512;

/** Up to so many rows are multiplied in place, if the right factor's columns are contiguous. */
const IN_PLACE_ROWS: i32 = 2;

/** Bytes of working memory that `gemm` needs. */
export function gemmScratchBytes(rows: i32, columns: i32, depth: i32): i32 {
  return (TILE_SIZE + (roundUp(min(rows, ROWS), TILE_ROWS) + roundUp(min(columns, COLUMNS), TILE_COLUMNS)) * min(depth, DEPTH)) << 2;
}

/**
 * out[rows, columns] = activation(left[rows, depth] right[depth, columns] + bias), all contiguous; see `finish` for what follows the product.
 *
 * @param leftTransposed - whether memory holds `[depth, rows]`. @param rightTransposed - whether it holds `[columns, depth]`.
 * @param scratch - `gemmScratchBytes` bytes.
 */
export function gemm(
  left: usize, leftTransposed: bool, right: usize, rightTransposed: bool, out: usize, rows: i32, columns: i32, depth: i32,
  bias: usize, activation: i32, slope: f32, slopes: usize, scratch: usize,
): void {
  const outRow = <usize>columns << 2;
  if (depth == 0) {
    memory.fill(out, 0, outRow * rows);
    finish(out, outRow, rows, columns, bias, activation, slope, slopes);
    return;
  }
  const leftRow: usize = leftTransposed ? 4 : <usize>depth << 2;
  const leftStep: usize = leftTransposed ? <usize>rows << 2 : 4;
  if (rows <= IN_PLACE_ROWS && !rightTransposed) {
    for (let i = 0; i < rows; i++) {
      for (let p = 0; p < depth; p += DEPTH) {
        multiplyRow(
          left + leftRow * i + leftStep * p, leftStep, right + outRow * p, outRow, columns, min(depth - p, DEPTH), out + outRow * i, p > 0,
        );
      }
    }
    finish(out, outRow, rows, columns, bias, activation, slope, slopes);
    return;
  }

  const rightColumn: usize = rightTransposed ? <usize>depth << 2 : 4;
  const rightStep: usize = rightTransposed ? 4 : outRow;
  const leftPanels = scratch + (TILE_SIZE << 2);
  const rightPanels = leftPanels + (<usize>roundUp(min(rows, ROWS), TILE_ROWS) * min(depth, DEPTH) << 2);
  for (let j = 0; j < columns; j += COLUMNS) {
    const first = <usize>j << 2;
    const blockColumns = min(columns - j, COLUMNS);
    for (let p = 0; p < depth; p += DEPTH) {
      const blockDepth = min(depth - p, DEPTH);
      const rightBlock = right + rightColumn * j + rightStep * p;
      packRight(rightBlock, rightTransposed ? rightColumn : rightStep, rightTransposed, blockColumns, blockDepth, rightPanels);
      for (let i = 0; i < rows; i += ROWS) {
        const blockRows = min(rows - i, ROWS);
        const leftBlock = left + leftRow * i + leftStep * p;
        packLeft(leftBlock, leftTransposed ? leftStep : leftRow, leftTransposed, blockRows, blockDepth, leftPanels);
        const block = out + outRow * i + first;
        multiplyPanels(leftPanels, rightPanels, blockRows, blockColumns, blockDepth, block, outRow, p > 0, scratch);
        if (p + blockDepth == depth) {
          finish(block, outRow, blockRows, blockColumns, bias ? bias + first : 0, activation, slope, slopes + first);
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function roundUp(x: i32, unit: i32): i32 {
  return (x + unit - 1) & -unit;
}
