// Cross-correlation along one line of a grid of rows, and the gradient of its taps. Channels are the lanes; the last vector of a row may take in
// channels of the one before.
import { accumulate } from './accumulate';
import { BLOCK, slide } from './depthwise-slide';
import { loadLanes, madd, splat, storeLanes } from './math';

/** So many products are added one after the other, then to the total, so that rounding does not add up. */
const SPAN: i32 = 64;

/** Channels that a block goes over at a time. */
export const WIDE: i32 = 8;

/** The first tap that reads at or after the start of its axis. */
// @ts-ignore: decorator
@inline
function firstTap(position: i32, center: i32, dilation: i32): i32 {
  return max(0, (dilation * center - position + dilation - 1) / dilation);
}

/** The tap after the last one that reads before the end of its axis. */
// @ts-ignore: decorator
@inline
function endTap(position: i32, length: i32, window: i32, center: i32, dilation: i32): i32 {
  return min(window, (length - position + dilation * center + dilation - 1) / dilation);
}

/**
 * Lists taps [beginY, endY) x [beginX, endX): where in the kernel a tap stands and where its source stands, relative to that of the first tap of all,
 * both in bytes. One loop over the list is faster than two short ones.
 */
function listTaps(
  table: usize,
  beginY: i32,
  endY: i32,
  beginX: i32,
  endX: i32,
  windowHeight: i32,
  windowWidth: i32,
  width: i32,
  dilation: i32,
  row: usize,
  reverse: bool,
): usize {
  let entry = table;
  for (let ky = beginY; ky < endY; ky++) {
    for (let kx = beginX; kx < endX; kx++) {
      const place = ky * windowWidth + kx;
      store<u32>(entry, <u32>(row * (reverse ? windowHeight * windowWidth - 1 - place : place)));
      store<u32>(entry, <u32>(row * (dilation * (ky * width + kx))), 4);
      entry += 8;
    }
  }
  return entry;
}

/** One output: all its channels. `begun` adds to what is there. */
export function one(from: usize, kernel: usize, to: usize, table: usize, last: usize, dim: i32, begun: bool): void {
  for (let c: i32 = 0; c < dim; c += 4) {
    const at = <usize>c << 2;
    const lanes = dim - c;
    let total = splat(0.0);
    for (let span = table; span < last; span += 8 * SPAN) {
      const end = min(last, span + 8 * SPAN);
      let sum = splat(0.0);
      if (lanes >= 4) {
        for (let entry = span; entry < end; entry += 8) {
          sum = madd(v128.load(from + at + load<u32>(entry, 4)), v128.load(kernel + at + load<u32>(entry)), sum);
        }
      } else {
        for (let entry = span; entry < end; entry += 8) {
          sum = madd(loadLanes(from + at + load<u32>(entry, 4), lanes), loadLanes(kernel + at + load<u32>(entry), lanes), sum);
        }
      }
      total = f32x4.add(total, sum);
    }
    if (begun) total = f32x4.add(loadLanes(to + at, lanes), total);
    storeLanes(to + at, total, lanes);
  }
}

/** Four neighbouring outputs that take the same taps, eight channels at a time; `dim` is at least 8. `begun` adds to what is there. */
export function block(from: usize, kernel: usize, to: usize, table: usize, last: usize, dim: i32, begun: bool): void {
  const row = <usize>dim << 2;
  for (let c: i32 = 0; c < dim; c += WIDE) {
    const at = <usize>min(c, dim - WIDE) << 2;
    const target = to + at;
    for (let span = table; span < last; span += 8 * SPAN) {
      const end = min(last, span + 8 * SPAN);
      let a0 = splat(0.0);
      let a1 = a0;
      let a2 = a0;
      let a3 = a0;
      let b0 = a0;
      let b1 = a0;
      let b2 = a0;
      let b3 = a0;
      for (let entry = span; entry < end; entry += 8) {
        const tap = kernel + at + load<u32>(entry);
        const source = from + at + load<u32>(entry, 4);
        const a = v128.load(tap);
        const b = v128.load(tap, 16);
        a0 = madd(v128.load(source), a, a0);
        b0 = madd(v128.load(source, 16), b, b0);
        a1 = madd(v128.load(source + row), a, a1);
        b1 = madd(v128.load(source + row, 16), b, b1);
        a2 = madd(v128.load(source + 2 * row), a, a2);
        b2 = madd(v128.load(source + 2 * row, 16), b, b2);
        a3 = madd(v128.load(source + 3 * row), a, a3);
        b3 = madd(v128.load(source + 3 * row, 16), b, b3);
      }
      const adds = begun || span != table;
      storeSpan(target, a0, b0, adds);
      storeSpan(target + row, a1, b1, adds);
      storeSpan(target + 2 * row, a2, b2, adds);
      storeSpan(target + 3 * row, a3, b3, adds);
    }
  }
}

/** Stores the sums of eight channels over the first span, and adds those over a further one. */
// @ts-ignore: decorator
@inline
function storeSpan(target: usize, a: v128, b: v128, begun: bool): void {
  if (begun) {
    a = f32x4.add(v128.load(target), a);
    b = f32x4.add(v128.load(target, 16), b);
  }
  v128.store(target, a);
  v128.store(target, b, 16);
}

/**
 * Outputs [begin, end) of line `y`. `from` is what the first tap of the line's first output would read, were it inside; `to` is that output.
 * `reverse` takes the taps from the last to the first; the centers are those of the order in which they are taken. `table` has room for two
 * integers per tap.
 */
export function convolveLine(
  from: usize,
  kernel: usize,
  to: usize,
  table: usize,
  y: i32,
  begin: i32,
  end: i32,
  height: i32,
  width: i32,
  dim: i32,
  windowHeight: i32,
  windowWidth: i32,
  centerY: i32,
  centerX: i32,
  dilation: i32,
  reverse: bool,
): void {
  const row = <usize>dim << 2;
  const beginY = firstTap(y, centerY, dilation);
  const endY = endTap(y, height, windowHeight, centerY, dilation);
  // Outputs from `inside` to `outside` have all taps of a row; they are taken in blocks, of which the last may overlap the one before.
  const inside = max(begin, min(width, dilation * centerX));
  const outside = min(end, width - dilation * (windowWidth - 1 - centerX));
  const hasBlocks = outside - inside >= BLOCK && dim >= WIDE;
  const isShort = windowHeight == 1 && dilation == 1 && (windowWidth == 3 || windowWidth == 4);
  if (hasBlocks && isShort) {
    const tapStep = reverse ? -(<isize>row) : <isize>row;
    const start = reverse ? kernel + row * (windowWidth - 1) : kernel;
    slide(from + row * inside, start, tapStep, windowWidth, to + row * inside, (outside - inside) / BLOCK, dim);
    // What is left overlaps the last step.
    const p = row * (outside - BLOCK);
    if ((outside - inside) % BLOCK != 0) slide(from + p, start, tapStep, windowWidth, to + p, 1, dim);
  } else if (hasBlocks) {
    const last = listTaps(table, beginY, endY, 0, windowWidth, windowHeight, windowWidth, width, dilation, row, reverse);
    for (let p = inside; p < outside; p += BLOCK) {
      const first = row * min(p, outside - BLOCK);
      block(from + first, kernel, to + first, table, last, dim, false);
    }
  }
  for (let p = begin; p < end; p++) {
    if (hasBlocks && p == inside) p = outside;
    if (p >= end) break;
    const beginX = firstTap(p, centerX, dilation);
    const endX = endTap(p, width, windowWidth, centerX, dilation);
    const last = listTaps(table, beginY, endY, beginX, endX, windowHeight, windowWidth, width, dilation, row, reverse);
    one(from + row * p, kernel, to + row * p, table, last, dim, false);
  }
}

/**
 * Adds what outputs [begin, end) of line `y` give to the gradient of the taps. `x` is what the target's own place reads and `received` the gradient of
 * the output, both at the line's first place; `lost` carries the rounding errors of `dKernel`. Goes over stretches of positions short enough to stay in
 * the cache for all taps.
 */
export function addTapGradients(
  x: usize,
  received: usize,
  dKernel: usize,
  lostSums: usize,
  y: i32,
  begin: i32,
  end: i32,
  height: i32,
  width: i32,
  dim: i32,
  windowHeight: i32,
  windowWidth: i32,
  centerY: i32,
  centerX: i32,
  dilation: i32,
): void {
  const row = <usize>dim << 2;
  const beginY = firstTap(y, centerY, dilation);
  const endY = endTap(y, height, windowHeight, centerY, dilation);
  for (let stretch = begin; stretch < end; stretch += SPAN) {
    for (let ky = beginY; ky < endY; ky++) {
      for (let kx: i32 = 0; kx < windowWidth; kx++) {
        const offset = dilation * (kx - centerX);
        const first = max(stretch, -offset);
        const last = min(min(stretch + SPAN, end), width - offset);
        if (first >= last) continue;
        const tap = row * (ky * windowWidth + kx);
        const target = row * first;
        const stop = row * last;
        const apart = row * (dilation * (ky - centerY) * width + offset);
        let c: i32 = 0;
        for (; c + 16 <= dim; c += 16) {
          const at = <usize>c << 2;
          let s0 = splat(0.0);
          let s1 = s0;
          let s2 = s0;
          let s3 = s0;
          for (let i = target + at; i < stop; i += row) {
            const gradient = received + i;
            const source = x + i + apart;
            s0 = madd(v128.load(source), v128.load(gradient), s0);
            s1 = madd(v128.load(source, 16), v128.load(gradient, 16), s1);
            s2 = madd(v128.load(source, 32), v128.load(gradient, 32), s2);
            s3 = madd(v128.load(source, 48), v128.load(gradient, 48), s3);
          }
          const sum = dKernel + tap + at;
          const lost = lostSums + tap + at;
          accumulate(sum, lost, s0, 4);
          accumulate(sum + 16, lost + 16, s1, 4);
          accumulate(sum + 32, lost + 32, s2, 4);
          accumulate(sum + 48, lost + 48, s3, 4);
        }
        for (; c < dim; c += 4) {
          const at = <usize>c << 2;
          const lanes = dim - c;
          let sum = splat(0.0);
          for (let i = target + at; i < stop; i += row) {
            sum = madd(loadLanes(x + i + apart, lanes), loadLanes(received + i, lanes), sum);
          }
          accumulate(dKernel + tap + at, lostSums + tap + at, sum, lanes);
        }
      }
    }
  }
}
