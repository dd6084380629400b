// Products between tokens `[tokens, dim]` and the heads' rows `[heads, tokens, headDim]`, each one product over all heads: tokens are packed once for all of
// them, and nothing is transposed in memory. Blocked as `gemm`. `map` is `[heads, dim, headDim]`, or `[heads, headDim, dim]` if it is `turned`; `headBytes` are
// those from one head's rows to the next.
import { roundUp, take } from '../../tensor-ops/assembly/attention-head';
import { packLeft, packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels, TILE_SIZE } from '../../tensor-ops/assembly/gemm-tile';
import { call } from './call';

const DEPTH: i32 = 256;
const BLOCK_ROWS: i32 = 24;
const BLOCK_COLUMNS: i32 = 512;

namespace space {
  export let left: usize = 0;
  export let right: usize = 0;
  export let spill: usize = 0;
}

/** Takes the working memory of all of them. */
export function takeProducts(): void {
  const columns = max(min(BLOCK_COLUMNS, roundUp(call.dim, 8)), max(call.channels, min(BLOCK_COLUMNS, call.heads * call.channels)));
  const depth = <usize>max(DEPTH, call.headDim);
  space.spill = take(TILE_SIZE);
  space.left = take(depth * BLOCK_ROWS);
  space.right = take(depth * columns);
}

/** How many heads stand side by side in a block of columns. */
function headsAbreast(): i32 {
  return max(1, BLOCK_COLUMNS / call.channels);
}

/** What `map` makes of tokens: `out[h, t, c] = sum over i of x[t, i] map[h, i, c]`. */
export function toHeads(x: usize, tokens: i32, map: usize, turned: bool, out: usize, headBytes: usize): void {
  const row = <usize>call.dim << 2;
  const headRow = <usize>call.headDim << 2;
  const mapBytes = row * call.headDim;
  const group = headsAbreast();
  for (let first: i32 = 0; first < call.heads; first += group) {
    const count = min(group, call.heads - first);
    for (let p: i32 = 0; p < call.dim; p += DEPTH) {
      const depth = min(call.dim - p, DEPTH);
      const step = <usize>(depth * call.channels) << 2;
      for (let h: i32 = 0; h < count; h++) {
        const own = map + mapBytes * (first + h);
        if (turned) packRight(own + (<usize>p << 2), row, true, call.headDim, depth, space.right + step * h);
        else packRight(own + headRow * p, headRow, false, call.headDim, depth, space.right + step * h);
      }
      for (let t: i32 = 0; t < tokens; t += BLOCK_ROWS) {
        const rows = min(tokens - t, BLOCK_ROWS);
        packLeft(x + row * t + (<usize>p << 2), row, false, rows, depth, space.left);
        for (let h: i32 = 0; h < count; h++) {
          const to = out + headBytes * (first + h) + headRow * t;
          multiplyPanels(space.left, space.right + step * h, rows, call.headDim, depth, to, headRow, p > 0, space.spill);
        }
      }
    }
  }
}

/** What heads give back to tokens: `out[t, i] = sum over h and c of y[h, t, c] map[h, i, c]`. */
export function toTokens(y: usize, headBytes: usize, tokens: i32, map: usize, turned: bool, out: usize): void {
  const row = <usize>call.dim << 2;
  const headRow = <usize>call.headDim << 2;
  const mapBytes = row * call.headDim;
  const group = max(1, DEPTH / call.headDim);
  for (let first: i32 = 0; first < call.heads; first += group) {
    const count = min(group, call.heads - first);
    const depth = count * call.headDim;
    for (let begin: i32 = 0; begin < call.dim; begin += BLOCK_COLUMNS) {
      const columns = min(call.dim - begin, BLOCK_COLUMNS);
      for (let j: i32 = 0; j < columns; j += 8) {
        const width = min(8, columns - j);
        for (let h: i32 = 0; h < count; h++) {
          const own = map + mapBytes * (first + h);
          const to = space.right + (<usize>(j * depth + 8 * h * call.headDim) << 2);
          if (turned) packRight(own + (<usize>(begin + j) << 2), row, false, width, call.headDim, to);
          else packRight(own + headRow * (begin + j), headRow, true, width, call.headDim, to);
        }
      }
      for (let t: i32 = 0; t < tokens; t += BLOCK_ROWS) {
        const rows = min(tokens - t, BLOCK_ROWS);
        for (let i: i32 = 0; i < rows; i += 4) {
          for (let h: i32 = 0; h < count; h++) {
            const from = y + headBytes * (first + h) + headRow * (t + i);
            const to = space.left + (<usize>(i * depth + 4 * h * call.headDim) << 2);
            packLeft(from, headRow, false, min(4, rows - i), call.headDim, to);
          }
        }
        const to = out + row * t + (<usize>begin << 2);
        multiplyPanels(space.left, space.right, rows, columns, depth, to, row, first > 0, space.spill);
      }
    }
  }
}

/** Sets a map's gradient, or adds to it: `out[h, i, c] = sum over t of x[t, i] y[h, t, c]`, for a map that is not turned. */
export function addToMap(x: usize, y: usize, headBytes: usize, tokens: i32, out: usize, accumulate: bool): void {
  const row = <usize>call.dim << 2;
  const headRow = <usize>call.headDim << 2;
  const group = headsAbreast();
  for (let first: i32 = 0; first < call.heads; first += group) {
    const count = min(group, call.heads - first);
    for (let t: i32 = 0; t < tokens; t += DEPTH) {
      const depth = min(tokens - t, DEPTH);
      const step = <usize>(depth * call.channels) << 2;
      for (let h: i32 = 0; h < count; h++) {
        packRight(y + headBytes * (first + h) + headRow * t, headRow, false, call.headDim, depth, space.right + step * h);
      }
      for (let i: i32 = 0; i < call.dim; i += BLOCK_ROWS) {
        const rows = min(call.dim - i, BLOCK_ROWS);
        packLeft(x + row * t + (<usize>i << 2), row, true, rows, depth, space.left);
        for (let h: i32 = 0; h < count; h++) {
          const to = out + headRow * ((first + h) * call.dim + i);
          multiplyPanels(
            space.left, space.right + step * h, rows, call.headDim, depth, to, headRow, accumulate || t > 0, space.spill,
          );
        }
      }
    }
  }
}

/** The same for a map that is turned: `out[h, c, i]`. */
export function addToTurnedMap(x: usize, y: usize, headBytes: usize, tokens: i32, out: usize, accumulate: bool): void {
  const row = <usize>call.dim << 2;
  const headRow = <usize>call.headDim << 2;
  for (let begin: i32 = 0; begin < call.dim; begin += BLOCK_COLUMNS) {
    const columns = min(call.dim - begin, BLOCK_COLUMNS);
    for (let t: i32 = 0; t < tokens; t += DEPTH) {
      const depth = min(tokens - t, DEPTH);
      packRight(x + row * t + (<usize>begin << 2), row, false, columns, depth, space.right);
      for (let h: i32 = 0; h < call.heads; h++) {
        for (let c: i32 = 0; c < call.headDim; c += BLOCK_ROWS) {
          const rows = min(call.headDim - c, BLOCK_ROWS);
          packLeft(y + headBytes * h + headRow * t + (<usize>c << 2), headRow, true, rows, depth, space.left);
          const to = out + row * (h * call.headDim + c) + (<usize>begin << 2);
          multiplyPanels(space.left, space.right, rows, columns, depth, to, row, accumulate || t > 0, space.spill);
        }
      }
    }
  }
}
