import { finish } from './gemm-epilogue';
import { packLeft, packRight } from './gemm-pack';
import { multiplyPanels, TILE_COLUMNS, TILE_ROWS } from './gemm-tile';

// Blocked matrix product after Goto and van de Geijn, Anatomy of high-performance matrix multiplication, 2008. A right panel of DEPTH x 8
// stays in the first-level cache, a left block of ROWS x DEPTH in the second. An element is the sum over `p` in order within each block of
// DEPTH, and the blocks are added in order: the partial sums keep the rounding error small, and the bits depend on the factors' rows and
// columns alone, whatever way the operands are laid out or the work is divided.

const DEPTH: i32 = 256;
const ROWS: i32 = 96;
const COLUMNS: i32 = 512;

/** With so few columns (rows) a left (right) panel is not read often enough to pay for packing it. */
const DIRECT_LEFT_COLUMNS: i32 = 64;
const DIRECT_RIGHT_ROWS: i32 = 64;

/** Floats of a tile that overhangs the output. */
const SPILL: i32 = TILE_ROWS * TILE_COLUMNS;

/** Bytes of working memory that `gemm` needs. */
export function gemmScratchBytes(rows: i32, columns: i32, depth: i32): i32 {
  const blockDepth = min(depth, DEPTH);
  return (SPILL + (roundUp(min(rows, ROWS), TILE_ROWS) + roundUp(min(columns, COLUMNS), TILE_COLUMNS)) * blockDepth) << 2;
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
  const leftRow: usize = leftTransposed ? 4 : <usize>depth << 2;
  const leftStep: usize = leftTransposed ? <usize>rows << 2 : 4;
  const rightColumn: usize = rightTransposed ? <usize>depth << 2 : 4;
  const rightStep: usize = rightTransposed ? 4 : <usize>columns << 2;
  const outRow = <usize>columns << 2;
  const leftPanels = scratch + (SPILL << 2);
  const rightPanels = leftPanels + (<usize>roundUp(min(rows, ROWS), TILE_ROWS) * min(depth, DEPTH) << 2);
  if (depth == 0) {
    memory.fill(out, 0, outRow * rows);
    if (bias || activation) finish(out, outRow, rows, columns, bias, activation, slope, slopes);
    return;
  }
  const packsRight = rightTransposed || rows > DIRECT_RIGHT_ROWS;

  for (let j = 0; j < columns; j += COLUMNS) {
    const blockColumns = min(columns - j, COLUMNS);
    const packsLeft = blockColumns > DIRECT_LEFT_COLUMNS;
    const directColumns = packsRight ? 0 : blockColumns & -TILE_COLUMNS;
    for (let p = 0; p < depth; p += DEPTH) {
      const blockDepth = min(depth - p, DEPTH);
      const rightBlock = right + rightColumn * j + rightStep * p;
      packRight(
        rightBlock + rightColumn * directColumns, rightTransposed ? rightColumn : rightStep, rightTransposed,
        blockColumns - directColumns, blockDepth, rightPanels,
      );
      for (let i = 0; i < rows; i += ROWS) {
        const blockRows = min(rows - i, ROWS);
        const directRows = packsLeft ? 0 : blockRows & -TILE_ROWS;
        const leftBlock = left + leftRow * i + leftStep * p;
        packLeft(
          leftBlock + leftRow * directRows, leftTransposed ? leftStep : leftRow, leftTransposed,
          blockRows - directRows, blockDepth, leftPanels,
        );
        const block = out + outRow * i + (<usize>j << 2);
        // What is read in place, then what is packed, of either factor.
        for (let leftPart = 0; leftPart < 2; leftPart++) {
          const partRows = leftPart ? blockRows - directRows : directRows;
          for (let rightPart = 0; rightPart < 2; rightPart++) {
            const partColumns = rightPart ? blockColumns - directColumns : directColumns;
            multiplyPanels(
              leftPart ? leftPanels : leftBlock, leftPart ? 4 : leftRow, leftPart ? TILE_ROWS * 4 : leftStep,
              leftPart ? <usize>blockDepth * TILE_ROWS * 4 : leftRow * TILE_ROWS,
              rightPart ? rightPanels : rightBlock, rightPart ? TILE_COLUMNS * 4 : rightStep,
              rightPart ? <usize>blockDepth * TILE_COLUMNS * 4 : TILE_COLUMNS * 4,
              partRows, partColumns, blockDepth,
              block + (leftPart ? outRow * directRows : 0) + (rightPart ? <usize>directColumns << 2 : 0), outRow, p > 0, scratch,
            );
          }
        }
        if (p + blockDepth == depth && (bias || activation)) {
          const first = <usize>j << 2;
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
