// Products with a sparse matrix whose entries are listed by row: entries start[i] .. start[i + 1] - 1 of `order` name the edges of row i, and
// `gather` the row of x that an edge reads. Rows of x are contiguous; every output row has one owner.
import { loadLanes, madd, splat, storeLanes, sumLanes } from '../../tensor-ops/assembly/math';

/** Edges whose products are added before they join the sum of the row, so that rounding does not grow with the length of a row. */
const SPAN: i32 = 64;

/**
 * out[b, i] = sum over the edges e of row i of weight[b, e] x[b, gather[e]].
 *
 * @param weightStep - floats between the weights of two samples: 0 if all share them.
 */
export function product(
  x: usize, weight: usize, gather: usize, start: usize, order: usize, out: usize,
  batch: i32, columns: i32, rows: i32, channels: i32, weightStep: i32,
): void {
  const row = <usize>channels << 2;
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < rows; i++) {
      const begin = load<i32>(start + (<usize>i << 2));
      const end = load<i32>(start + (<usize>i << 2), 4);
      if (begin == end) memory.fill(out, 0, row);
      else {
        let c: usize = 0;
        for (; c + 128 <= row; c += 128) eightLanes(x + c, weight, gather, order, begin, end, out + c, row);
        for (; c + 16 <= row; c += 16) oneLane(x + c, weight, gather, order, begin, end, out + c, row, 4);
        if (c < row) oneLane(x + c, weight, gather, order, begin, end, out + c, row, <i32>((row - c) >> 2));
      }
      out += row;
    }
    x += <usize>columns * row;
    weight += <usize>weightStep << 2;
  }
}

/** 32 channels of one row. */
// @ts-ignore: decorator
@inline
function eightLanes(x: usize, weight: usize, gather: usize, order: usize, begin: i32, end: i32, out: usize, row: usize): void {
  for (let j = begin; j < end; ) {
    const stop = min(j + SPAN, end);
    const isFirst = j == begin;
    let s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0), s4 = splat(0), s5 = splat(0), s6 = splat(0), s7 = splat(0);
    for (; j < stop; j++) {
      const e = <usize>load<i32>(order + (<usize>j << 2)) << 2;
      const w = v128.load32_splat(weight + e);
      const from = x + <usize>load<i32>(gather + e) * row;
      s0 = madd(w, v128.load(from), s0);
      s1 = madd(w, v128.load(from, 16), s1);
      s2 = madd(w, v128.load(from, 32), s2);
      s3 = madd(w, v128.load(from, 48), s3);
      s4 = madd(w, v128.load(from, 64), s4);
      s5 = madd(w, v128.load(from, 80), s5);
      s6 = madd(w, v128.load(from, 96), s6);
      s7 = madd(w, v128.load(from, 112), s7);
    }
    if (!isFirst) {
      s0 = f32x4.add(v128.load(out), s0);
      s1 = f32x4.add(v128.load(out, 16), s1);
      s2 = f32x4.add(v128.load(out, 32), s2);
      s3 = f32x4.add(v128.load(out, 48), s3);
      s4 = f32x4.add(v128.load(out, 64), s4);
      s5 = f32x4.add(v128.load(out, 80), s5);
      s6 = f32x4.add(v128.load(out, 96), s6);
      s7 = f32x4.add(v128.load(out, 112), s7);
    }
    v128.store(out, s0);
    v128.store(out, s1, 16);
    v128.store(out, s2, 32);
    v128.store(out, s3, 48);
    v128.store(out, s4, 64);
    v128.store(out, s5, 80);
    v128.store(out, s6, 96);
    v128.store(out, s7, 112);
  }
}

/** `count` channels, at most four, of one row. */
function oneLane(x: usize, weight: usize, gather: usize, order: usize, begin: i32, end: i32, out: usize, row: usize, count: i32): void {
  let total = splat(0);
  for (let j = begin; j < end; ) {
    const stop = min(j + SPAN, end);
    let sum = splat(0);
    for (; j < stop; j++) {
      const e = <usize>load<i32>(order + (<usize>j << 2)) << 2;
      const from = x + <usize>load<i32>(gather + e) * row;
      sum = madd(v128.load32_splat(weight + e), loadLanes(from, count), sum);
    }
    total = f32x4.add(total, sum);
  }
  storeLanes(out, total, count);
}

/**
 * out[b, e] = <left[b, column[e]], right[b, row[e]]> for every edge; with `outStep` 0 the sum over the batch.
 */
export function dots(
  left: usize, right: usize, column: usize, row: usize, out: usize,
  batch: i32, columns: i32, rows: i32, channels: i32, edges: i32, outStep: i32,
): void {
  const bytes = <usize>channels << 2;
  for (let b = 0; b < batch; b++) {
    const isSum = b > 0 && outStep == 0;
    for (let e = 0; e < edges; e++) {
      const at = <usize>e << 2;
      const value = dot(left + <usize>load<i32>(column + at) * bytes, right + <usize>load<i32>(row + at) * bytes, channels);
      store<f32>(out + at, isSum ? load<f32>(out + at) + value : value);
    }
    left += <usize>columns * bytes;
    right += <usize>rows * bytes;
    out += <usize>outStep << 2;
  }
}

/** Four running sums of spans, so that neither latency nor rounding counts. */
// @ts-ignore: decorator
@inline
function dot(a: usize, b: usize, channels: i32): f32 {
  let total = splat(0);
  let c = 0;
  while (c + 16 <= channels) {
    const stop = min(channels - 15, c + 512);
    let s0 = splat(0), s1 = splat(0), s2 = splat(0), s3 = splat(0);
    for (; c < stop; c += 16) {
      s0 = madd(v128.load(a), v128.load(b), s0);
      s1 = madd(v128.load(a, 16), v128.load(b, 16), s1);
      s2 = madd(v128.load(a, 32), v128.load(b, 32), s2);
      s3 = madd(v128.load(a, 48), v128.load(b, 48), s3);
      a += 64;
      b += 64;
    }
    total = f32x4.add(total, f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
  }
  for (; c < channels; c += 4) {
    total = madd(loadLanes(a, channels - c), loadLanes(b, channels - c), total);
    a += 16;
    b += 16;
  }
  return sumLanes(total);
}
