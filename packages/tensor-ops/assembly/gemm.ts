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
 * out[rows, columns] = activation(left[rows, depth] right[depth, columns] + bias); see `finish` for what follows the product.
 *
 * @param leftTransposed - whether memory holds `[depth, rows]`. @param rightTransposed - whether it holds `[columns, depth]`.
 * @param leftStride - bytes between the rows of the left factor as memory holds it; `rightStride` and `outRow` likewise. Within a row all is contiguous.
 * @param scratch - `gemmScratchBytes` bytes.
 */
export function gemm(
  left: usize, leftTransposed: bool, leftStride: usize, right: usize, rightTransposed: bool, rightStride: usize, out: usize, outRow: usize,
  rows: i32, columns: i32, depth: i32, bias: usize, activation: i32, slope: f32, slopes: usize, scratch: usize,
): void {
  if (depth == 0) {
    for (let i = 0; i < rows; i++) memory.fill(out + outRow * i, 0, <usize>columns << 2);
    finish(out, outRow, rows, columns, bias, activation, slope, slopes);
    return;
  }
  const leftRow: usize = leftTransposed ? 4 : leftStride;
  const leftStep: usize = leftTransposed ? leftStride : 4;
  if (rows <= IN_PLACE_ROWS && !rightTransposed) {
    for (let i = 0; i < rows; i++) {
      for (let p = 0; p < depth; p += DEPTH) {
        multiplyRow(
          left + leftRow * i + leftStep * p, leftStep, right + rightStride * p, rightStride, columns, min(depth - p, DEPTH),
          out + outRow * i, p > 0,
        );
      }
    }
    finish(out, outRow, rows, columns, bias, activation, slope, slopes);
    return;
  }

  const rightColumn: usize = rightTransposed ? rightStride : 4;
  const rightStep: usize = rightTransposed ? 4 : rightStride;
  const leftPanels = scratch + (TILE_SIZE << 2);
  const rightPanels = leftPanels + (<usize>roundUp(min(rows, ROWS), TILE_ROWS) * min(depth, DEPTH) << 2);
  for (let j = 0; j < columns; j += COLUMNS) {
    const first = <usize>j << 2;
    const blockColumns = min(columns - j, COLUMNS);
    for (let p = 0; p < depth; p += DEPTH) {
      const blockDepth = min(depth - p, DEPTH);
      const rightBlock = right + rightColumn * j + rightStep * p;
      packRight(rightBlock, rightStride, rightTransposed, blockColumns, blockDepth, rightPanels);
      for (let i = 0; i < rows; i += ROWS) {
        const blockRows = min(rows - i, ROWS);
        const leftBlock = left + leftRow * i + leftStep * p;
        packLeft(leftBlock, leftStride, leftTransposed, blockRows, blockDepth, leftPanels);
        const block = out + outRow * i + first;
        multiplyPanels(leftPanels, rightPanels, blockRows, blockColumns, blockDepth, block, outRow, p > 0, scratch);
        if (p + blockDepth == depth) {
          finish(block, outRow, blockRows, blockColumns, bias ? bias + first : 0, activation, slope, slopes + first);
        }
      }
    }
  }
}

/**
 * Runs `count` products of one form, whose arguments lie in memory: 11 words each, the addresses and strides of left, right and out, the rows and
 * columns, and the addresses of bias, slopes and scratch. A worker thread gets its work so, and needs no view of a memory that grows.
 */
export function gemmMany(
  calls: usize, count: i32, leftTransposed: bool, rightTransposed: bool, depth: i32, activation: i32, slope: f32,
): void {
  for (let i = 0; i < count; i++) {
    gemm(
      load<u32>(calls), leftTransposed, load<u32>(calls, 4), load<u32>(calls, 8), rightTransposed, load<u32>(calls, 12),
      load<u32>(calls, 16), load<u32>(calls, 20), load<i32>(calls, 24), load<i32>(calls, 28), depth,
      load<u32>(calls, 32), activation, slope, load<u32>(calls, 36), load<u32>(calls, 40),
    );
    calls += 44;
  }
}

// @ts-ignore: decorator
@inline
function roundUp(x: i32, unit: i32): i32 {
  return (x + unit - 1) & -unit;
}
