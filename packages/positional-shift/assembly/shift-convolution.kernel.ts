// y = sum over terms of (x as the term reads it) theta_term, as one matrix product whose left factor [positions, terms * dim] is packed block by block from the
// rows of x and never made. Blocks as in tensor-ops' gemm: an element is the sum over the depth in order within each block, and the blocks are added in order.
import { packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels, TILE_COLUMNS, TILE_SIZE } from '../../tensor-ops/assembly/gemm-tile';
import { Grid, listPlaces, packChannels, packShifted, packTransposed, PLACE, rowAt, SPARE } from './shifted-rows';

/** At most the floats of a spare row. */
const DEPTH: i32 = 256;
const ROWS: i32 = 24;
const COLUMNS: i32 = 512;

// The working memory: grid, spilled tile, spare rows, places (or source rows), left panels, right panels.
const GRID: usize = 64;
const SPILL: usize = GRID;
const SPARES: usize = SPILL + (<usize>TILE_SIZE << 2);
const PLACES: usize = SPARES + (<usize>SPARE << 2) * 5;
const SOURCES: usize = PLACES + PLACE * DEPTH;
const LEFT: usize = SOURCES + (<usize>DEPTH << 2);
const RIGHT: usize = LEFT + (<usize>(ROWS * DEPTH) << 2);

/** Bytes of working memory for results of so many columns. */
export function scratchBytes(columns: i32): usize {
  return RIGHT + (<usize>(((min(columns, COLUMNS) + TILE_COLUMNS - 1) & -TILE_COLUMNS) * DEPTH) << 2);
}

function gridOf(
  scratch: usize, x: usize, dim: i32, height: i32, width: i32, offsets: usize, boundary: i32, adjoint: bool,
): Grid {
  const grid = changetype<Grid>(scratch);
  grid.x = x;
  grid.dim = dim;
  grid.height = height;
  grid.width = width;
  grid.offsets = offsets;
  grid.boundary = boundary;
  grid.adjoint = adjoint;
  grid.spare = scratch + SPARES;
  memory.fill(grid.spare, 0, <usize>SPARE << 2);
  return grid;
}

/**
 * out[positions, columns] = sum over terms of what the term reads of x[positions, dim] times its parameters.
 *
 * @param theta - `[terms, dim, columns]`, or `[terms, columns, dim]` for the adjoint, which is the gradient of x.
 * @param offsets - two integers per term. @param scratch - `scratchBytes(columns)` bytes.
 */
export function convolve(
  x: usize, theta: usize, out: usize, offsets: usize, terms: i32, batch: i32, height: i32, width: i32, dim: i32, columns: i32,
  boundary: i32, adjoint: bool, scratch: usize,
): void {
  const grid = gridOf(scratch, x, dim, height, width, offsets, boundary, adjoint);
  const places = scratch + PLACES, left = scratch + LEFT, right = scratch + RIGHT;
  const positions = batch * height * width;
  const depth = terms * dim;
  const outRow = <usize>columns << 2;
  for (let j: i32 = 0; j < columns; j += COLUMNS) {
    const blockColumns = min(columns - j, COLUMNS);
    for (let p: i32 = 0; p < depth; p += DEPTH) {
      const blockDepth = min(depth - p, DEPTH);
      if (adjoint) packTransposed(theta, dim, columns, j, blockColumns, p, blockDepth, grid.spare, right);
      else packRight(theta + outRow * p + (<usize>j << 2), outRow, false, blockColumns, blockDepth, right);
      for (let i: i32 = 0; i < positions; i += ROWS) {
        const rows = min(positions - i, ROWS);
        listPlaces(places, i, rows, height, width);
        packShifted(grid, places, rows, p, blockDepth, left);
        multiplyPanels(left, right, rows, blockColumns, blockDepth, out + outRow * i + (<usize>j << 2), outRow, p > 0, scratch + SPILL);
      }
    }
  }
}

/** dTheta[terms, dim, columns] = for each term (x as it reads it)^T dOutput[positions, columns]. */
export function thetaGradient(
  x: usize, dOutput: usize, dTheta: usize, offsets: usize, terms: i32, batch: i32, height: i32, width: i32, dim: i32, columns: i32,
  boundary: i32, scratch: usize,
): void {
  const grid = gridOf(scratch, x, dim, height, width, offsets, boundary, false);
  const places = scratch + PLACES, sources = scratch + SOURCES, left = scratch + LEFT, right = scratch + RIGHT;
  const positions = batch * height * width;
  const outRow = <usize>columns << 2;
  for (let j: i32 = 0; j < columns; j += COLUMNS) {
    const blockColumns = min(columns - j, COLUMNS);
    const first = <usize>j << 2;
    for (let p: i32 = 0; p < positions; p += DEPTH) {
      const blockDepth = min(positions - p, DEPTH);
      packRight(dOutput + outRow * p + first, outRow, false, blockColumns, blockDepth, right);
      listPlaces(places, p, blockDepth, height, width);
      for (let term: i32 = 0; term < terms; term++) {
        for (let i: i32 = 0; i < blockDepth; i++) {
          const row = rowAt(grid, places + PLACE * i, term, 0, 0, 0);
          store<u32>(sources + (<usize>i << 2), row == grid.spare ? 0 : <u32>row);
        }
        const block = dTheta + outRow * (term * dim) + first;
        for (let c: i32 = 0; c < dim; c += ROWS) {
          const rows = min(dim - c, ROWS);
          packChannels(sources, c, rows, blockDepth, left);
          multiplyPanels(left, right, rows, blockColumns, blockDepth, block + outRow * c, outRow, p > 0, scratch + SPILL);
        }
      }
    }
  }
}
