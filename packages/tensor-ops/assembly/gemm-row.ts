import { loadLanes, madd, storeLanes } from './math';

/**
 * out[columns] = (out +) left[depth] right[depth, columns], one row, read in place. A packed panel would be read once, so packing cannot pay.
 *
 * Every element is summed as in `multiplyPanels`, to the same bits.
 *
 * @param leftStep - bytes between elements of the left row. @param rightRow - bytes between rows of the right factor, whose columns are contiguous.
 */
export function multiplyRow(
  left: usize, leftStep: usize, right: usize, rightRow: usize, columns: i32, depth: i32, out: usize, accumulate: bool,
): void {
  let j = 0;
  for (; j + 32 <= columns; j += 32) {
    let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
    let c4 = f32x4.splat(0), c5 = f32x4.splat(0), c6 = f32x4.splat(0), c7 = f32x4.splat(0);
    let from = left;
    let row = right;
    for (let p = 0; p < depth; p++) {
      const a = v128.load32_splat(from);
      c0 = madd(a, v128.load(row), c0);
      c1 = madd(a, v128.load(row, 16), c1);
      c2 = madd(a, v128.load(row, 32), c2);
      c3 = madd(a, v128.load(row, 48), c3);
      c4 = madd(a, v128.load(row, 64), c4);
      c5 = madd(a, v128.load(row, 80), c5);
      c6 = madd(a, v128.load(row, 96), c6);
      c7 = madd(a, v128.load(row, 112), c7);
      from += leftStep;
      row += rightRow;
    }
    put(out, c0, accumulate);
    put(out + 16, c1, accumulate);
    put(out + 32, c2, accumulate);
    put(out + 48, c3, accumulate);
    put(out + 64, c4, accumulate);
    put(out + 80, c5, accumulate);
    put(out + 96, c6, accumulate);
    put(out + 112, c7, accumulate);
    right += 128;
    out += 128;
  }
  for (; j < columns; j += 4) {
    const count = min(columns - j, 4);
    let c = f32x4.splat(0);
    let from = left;
    let row = right;
    for (let p = 0; p < depth; p++) {
      c = madd(v128.load32_splat(from), loadLanes(row, count), c);
      from += leftStep;
      row += rightRow;
    }
    storeLanes(out, accumulate ? f32x4.add(c, loadLanes(out, count)) : c, count);
    right += 16;
    out += 16;
  }
}

// @ts-ignore: decorator
@inline
function put(out: usize, x: v128, accumulate: bool): void {
  v128.store(out, accumulate ? f32x4.add(x, v128.load(out)) : x);
}
