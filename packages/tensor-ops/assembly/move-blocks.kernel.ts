// What only moves elements: transposes, slices, gathers.
import { copyBytes } from './copy-bytes';
import { transposeMatrix } from './swap-axes';

/**
 * Walks over `rank` axes; at each place it moves a matrix of `rows` rows. With `bytes`, each row is that many contiguous bytes on both sides; with 0,
 * the matrix of `columns` 4-byte elements is transposed.
 *
 * @param axes - four integers per axis, the last axis fastest: its length, bytes per step in the source and in the target, and 0.
 */
export function moveBlocks(
  source: usize, target: usize, axes: usize, rank: i32, rows: i32, columns: i32, sourceRow: usize, targetRow: usize, bytes: usize,
): void {
  for (;;) {
    if (bytes != 0) {
      for (let i = 0; i < rows; i++) copyBytes(target + targetRow * i, source + sourceRow * i, bytes);
    } else {
      transposeMatrix(source, target, rows, columns, sourceRow, targetRow);
    }
    let axis = rank - 1;
    for (; axis >= 0; axis--) {
      const entry = axes + (<usize>axis << 4);
      const place = load<u32>(entry, 12) + 1;
      if (place < load<u32>(entry)) {
        store<u32>(entry, place, 12);
        source += load<u32>(entry, 4);
        target += load<u32>(entry, 8);
        break;
      }
      store<u32>(entry, 0, 12);
      source -= load<u32>(entry, 4) * (place - 1);
      target -= load<u32>(entry, 8) * (place - 1);
    }
    if (axis < 0) return;
  }
}

/** The first of `count` indices that is not below `size`, or -1. */
export function strangeIndex(indices: usize, count: i32, size: i32): i32 {
  for (let i = 0; i < count; i++) if (load<u32>(indices + (<usize>i << 2)) >= <u32>size) return i;
  return -1;
}

/** out[b, o, i] = x[b, o, indices[b, i]], each `bytes` long; x is [batch, outer, size]. */
export function gather(x: usize, indices: usize, out: usize, batch: i32, outer: i32, size: i32, count: i32, bytes: usize): void {
  const lines = bytes * size;
  for (let b = 0; b < batch; b++) {
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < count; i++) {
        copyBytes(out, x + bytes * load<u32>(indices + (<usize>i << 2)), bytes);
        out += bytes;
      }
      x += lines;
    }
    indices += <usize>count << 2;
  }
}
