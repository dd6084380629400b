/** Elements along a tile that is transposed at a time: the lines of both sides then stay in the first-level cache, whatever their distance. */
const TILE: i32 = 8;

/** `[outer, rows, columns]` as `[outer, columns, rows]`. */
export function swapAxes(source: usize, target: usize, outer: i32, rows: i32, columns: i32): void {
  const size = (<usize>rows * <usize>columns) << 2;
  for (let o = 0; o < outer; o++) {
    transposeMatrix(source, target, rows, columns, <usize>columns << 2, <usize>rows << 2);
    source += size;
    target += size;
  }
}

/** Transposes a matrix of 4-byte elements; `sourceRow` and `targetRow` are bytes between rows of either side. */
export function transposeMatrix(source: usize, target: usize, rows: i32, columns: i32, sourceRow: usize, targetRow: usize): void {
  for (let i = 0; i < rows; i += TILE) {
    const endRow = min(i + TILE, rows);
    for (let j = 0; j < columns; j += 4) {
      for (let k = i; k < endRow; k += 4) {
        const from = source + sourceRow * k + (<usize>j << 2);
        const to = target + targetRow * j + (<usize>k << 2);
        if (k + 4 <= rows && j + 4 <= columns) transposeTile(from, to, sourceRow, targetRow);
        else transposeRest(from, to, min(4, rows - k), min(4, columns - j), sourceRow, targetRow);
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function transposeTile(from: usize, to: usize, sourceRow: usize, targetRow: usize): void {
  const r0 = v128.load(from), r1 = v128.load(from + sourceRow), r2 = v128.load(from + 2 * sourceRow), r3 = v128.load(from + 3 * sourceRow);
  const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2));
  v128.store(to + targetRow, v128.shuffle<i64>(low01, low23, 1, 3));
  v128.store(to + 2 * targetRow, v128.shuffle<i64>(high01, high23, 0, 2));
  v128.store(to + 3 * targetRow, v128.shuffle<i64>(high01, high23, 1, 3));
}

function transposeRest(from: usize, to: usize, rows: i32, columns: i32, sourceRow: usize, targetRow: usize): void {
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) store<u32>(to + targetRow * j + (<usize>i << 2), load<u32>(from + sourceRow * i + (<usize>j << 2)));
  }
}
