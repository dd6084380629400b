// The sum over the middle axis of [outer, count, inner]. Partial sums are short, so that rounding does not grow with the length.
import { SPAN } from './lines';
import { loadLanes, splat, storeLanes, sumLanes } from './math';

/** Rows that one partial sum of columns takes in. */
const ROWS: i32 = 256;

/** Columns whose sums stay in the first-level cache. */
const COLUMNS: i32 = 2048;

/** Shorter rows are added several at a time, as if they were one longer row. */
const SHORT: i32 = 16;

/** Bytes of working memory of `sum`. */
export function sumScratchBytes(inner: i32): i32 {
  return (min(max(inner, SHORT * SHORT), COLUMNS) + SHORT * SHORT) << 2;
}

export function sum(x: usize, out: usize, scratch: usize, outer: i32, count: i32, inner: i32): void {
  if (inner == 1) {
    for (let o = 0; o < outer; o++) {
      store<f32>(out, sumOfRow(x, count));
      x += <usize>count << 2;
      out += 4;
    }
    return;
  }
  const row = <usize>inner << 2;
  for (let o = 0; o < outer; o++) {
    memory.fill(out, 0, row);
    let rows = count;
    let from = x;
    if (inner < SHORT && count >= 4 * SHORT) {
      const folded = scratch + (<usize>(SHORT * SHORT) << 2);
      memory.fill(folded, 0, row * SHORT);
      sumRows(from, folded, scratch, count / SHORT, SHORT * inner, row * SHORT);
      addRows(folded, out, SHORT, inner, row);
      rows = count % SHORT;
      from += row * (count - rows);
    }
    sumRows(from, out, scratch, rows, inner, row);
    x += row * count;
    out += row;
  }
}

function sumOfRow(x: usize, width: i32): f32 {
  let total: f64 = 0;
  for (let begin = 0; begin < width; begin += SPAN) {
    const end = min(width, begin + SPAN);
    let s0 = splat(0.0), s1 = s0, s2 = s0, s3 = s0;
    let i = begin;
    for (; i + 16 <= end; i += 16) {
      const at = x + (<usize>i << 2);
      s0 = f32x4.add(s0, v128.load(at));
      s1 = f32x4.add(s1, v128.load(at, 16));
      s2 = f32x4.add(s2, v128.load(at, 32));
      s3 = f32x4.add(s3, v128.load(at, 48));
    }
    for (; i < end; i += 4) s0 = f32x4.add(s0, loadLanes(x + (<usize>i << 2), end - i));
    total += <f64>sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  }
  return <f32>total;
}

/** out += the sum of rows, over blocks of rows and columns. `partial` has room for a block of columns. */
function sumRows(x: usize, out: usize, partial: usize, count: i32, width: i32, row: usize): void {
  for (let c = 0; c < width; c += COLUMNS) {
    const columns = min(width - c, COLUMNS);
    const at = <usize>c << 2;
    addRows(x + at, out + at, min(count, ROWS), columns, row);
    for (let r = ROWS; r < count; r += ROWS) {
      memory.fill(partial, 0, <usize>columns << 2);
      addRows(x + at + row * r, partial, min(count - r, ROWS), columns, row);
      addRows(partial, out + at, 1, columns, row);
    }
  }
}

/** out += the sum of rows, eight at a time. */
function addRows(x: usize, out: usize, count: i32, columns: i32, row: usize): void {
  let r = 0;
  for (; r + 8 <= count; r += 8) {
    for (let c = 0; c < columns; c += 4) {
      const at = <usize>c << 2;
      const lanes = columns - c;
      const low = x + at;
      const high = low + 4 * row;
      if (lanes >= 4) {
        const a = f32x4.add(f32x4.add(v128.load(low), v128.load(low + row)), f32x4.add(v128.load(low + 2 * row), v128.load(low + 3 * row)));
        const b = f32x4.add(f32x4.add(v128.load(high), v128.load(high + row)), f32x4.add(v128.load(high + 2 * row), v128.load(high + 3 * row)));
        v128.store(out + at, f32x4.add(v128.load(out + at), f32x4.add(a, b)));
      } else {
        let sum = loadLanes(out + at, lanes);
        for (let i = 0; i < 8; i++) sum = f32x4.add(sum, loadLanes(low + row * i, lanes));
        storeLanes(out + at, sum, lanes);
      }
    }
    x += 8 * row;
  }
  for (; r < count; r++) {
    for (let c = 0; c < columns; c += 4) {
      const at = <usize>c << 2;
      const lanes = columns - c;
      storeLanes(out + at, f32x4.add(loadLanes(out + at, lanes), loadLanes(x + at, lanes)), lanes);
    }
    x += row;
  }
}
