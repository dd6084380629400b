import { madd } from '../../tensor-ops/assembly/math';

/** Outputs that are made together; of twelve, six and six. */
export const GROUP: i32 = 4;
const WIDE_GROUP: i32 = 6;

/**
 * Taps that read consecutive rows, each one row before the last one's, over `count` outputs, a multiple of 4: an input is loaded once for as many taps as outputs are made together, and an
 * output stored once. Each output is summed over the taps in order.
 *
 * @param from - what the first tap reads at the first output. @param kernel - the first tap; the next is `kernelStep` bytes on, which may be negative.
 * @param dim - a multiple of 4. @param begun - adds to what is there. @param ahead - asks for memory so many rows before it is worked on.
 */
export function slideRun(
  from: usize, kernel: usize, kernelStep: isize, taps: i32, to: usize, count: i32, dim: i32, begun: bool, ahead: i32,
): void {
  const row = <usize>dim << 2;
  const later = row * ahead;
  let left = count;
  for (; left >= 2 * WIDE_GROUP; left -= 2 * WIDE_GROUP) {
    for (let half: i32 = 0; half < 2; half++) {
      slideSix(from, kernel, kernelStep, taps, to, row, begun, later);
      from += row * WIDE_GROUP;
      to += row * WIDE_GROUP;
    }
  }
  for (; left > 0; left -= GROUP) {
    slideFour(from, kernel, kernelStep, taps, to, row, begun, later);
    from += row * GROUP;
    to += row * GROUP;
  }
}

// Registers have names alone, so each width is written out. From one tap to the next every row is one later than the row before it: a step back loads one row and
// drops the latest, and after as many taps as rows the names are back where they were.

/** Four outputs: an input is loaded once for four taps. */
function slideFour(from: usize, kernel: usize, kernelStep: isize, taps: i32, to: usize, row: usize, begun: bool, later: usize): void {
  for (let c: usize = 0; c < row; c += 16) {
    // Four rows are one stretch of memory, of which each step asks for a line.
    load<u8>(from + later + (c << 2));
    load<u8>(to + later + (c << 2));
    let source = from + c;
    let tap = kernel + c;
    let left = taps;
    let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
    let r0 = v128.load(source);
    let r1 = v128.load(source + row);
    let r2 = v128.load(source + row * 2);
    let r3 = v128.load(source + row * 3);
    while (true) {
      let k = v128.load(tap);
      a0 = madd(r0, k, a0);
      a1 = madd(r1, k, a1);
      a2 = madd(r2, k, a2);
      a3 = madd(r3, k, a3);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r3 = v128.load(source);
      k = v128.load(tap);
      a0 = madd(r3, k, a0);
      a1 = madd(r0, k, a1);
      a2 = madd(r1, k, a2);
      a3 = madd(r2, k, a3);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r2 = v128.load(source);
      k = v128.load(tap);
      a0 = madd(r2, k, a0);
      a1 = madd(r3, k, a1);
      a2 = madd(r0, k, a2);
      a3 = madd(r1, k, a3);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r1 = v128.load(source);
      k = v128.load(tap);
      a0 = madd(r1, k, a0);
      a1 = madd(r2, k, a1);
      a2 = madd(r3, k, a2);
      a3 = madd(r0, k, a3);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r0 = v128.load(source);
    }
    const target = to + c;
    if (begun) {
      a0 = f32x4.add(v128.load(target), a0);
      a1 = f32x4.add(v128.load(target + row), a1);
      a2 = f32x4.add(v128.load(target + row * 2), a2);
      a3 = f32x4.add(v128.load(target + row * 3), a3);
    }
    v128.store(target, a0);
    v128.store(target + row, a1);
    v128.store(target + row * 2, a2);
    v128.store(target + row * 3, a3);
  }
}

/** Six outputs, likewise. */
function slideSix(from: usize, kernel: usize, kernelStep: isize, taps: i32, to: usize, row: usize, begun: bool, later: usize): void {
  for (let c: usize = 0; c < row; c += 16) {
    if ((c & 31) == 0) {
      // Of the rows that come later four, two lines at a time.
      load<u8>(from + later + (c << 2));
      load<u8>(from + later + (c << 2) + 64);
      load<u8>(to + later + (c << 2));
      load<u8>(to + later + (c << 2) + 64);
    }
    let source = from + c;
    let tap = kernel + c;
    let left = taps;
    let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0;
    let r0 = v128.load(source);
    let r1 = v128.load(source + row);
    let r2 = v128.load(source + row * 2);
    let r3 = v128.load(source + row * 3);
    let r4 = v128.load(source + row * 4);
    let r5 = v128.load(source + row * 5);
    while (true) {
      let k = v128.load(tap);
      a0 = madd(r0, k, a0);
      a1 = madd(r1, k, a1);
      a2 = madd(r2, k, a2);
      a3 = madd(r3, k, a3);
      a4 = madd(r4, k, a4);
      a5 = madd(r5, k, a5);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r5 = v128.load(source);
      k = v128.load(tap);
      a0 = madd(r5, k, a0);
      a1 = madd(r0, k, a1);
      a2 = madd(r1, k, a2);
      a3 = madd(r2, k, a3);
      a4 = madd(r3, k, a4);
      a5 = madd(r4, k, a5);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r4 = v128.load(source);
      k = v128.load(tap);
      a0 = madd(r4, k, a0);
      a1 = madd(r5, k, a1);
      a2 = madd(r0, k, a2);
      a3 = madd(r1, k, a3);
      a4 = madd(r2, k, a4);
      a5 = madd(r3, k, a5);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r3 = v128.load(source);
      k = v128.load(tap);
      a0 = madd(r3, k, a0);
      a1 = madd(r4, k, a1);
      a2 = madd(r5, k, a2);
      a3 = madd(r0, k, a3);
      a4 = madd(r1, k, a4);
      a5 = madd(r2, k, a5);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r2 = v128.load(source);
      k = v128.load(tap);
      a0 = madd(r2, k, a0);
      a1 = madd(r3, k, a1);
      a2 = madd(r4, k, a2);
      a3 = madd(r5, k, a3);
      a4 = madd(r0, k, a4);
      a5 = madd(r1, k, a5);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r1 = v128.load(source);
      k = v128.load(tap);
      a0 = madd(r1, k, a0);
      a1 = madd(r2, k, a1);
      a2 = madd(r3, k, a2);
      a3 = madd(r4, k, a3);
      a4 = madd(r5, k, a4);
      a5 = madd(r0, k, a5);
      if (--left == 0) break;
      tap += kernelStep;
      source -= row;
      r0 = v128.load(source);
    }
    const target = to + c;
    if (begun) {
      a0 = f32x4.add(v128.load(target), a0);
      a1 = f32x4.add(v128.load(target + row), a1);
      a2 = f32x4.add(v128.load(target + row * 2), a2);
      a3 = f32x4.add(v128.load(target + row * 3), a3);
      a4 = f32x4.add(v128.load(target + row * 4), a4);
      a5 = f32x4.add(v128.load(target + row * 5), a5);
    }
    v128.store(target, a0);
    v128.store(target + row, a1);
    v128.store(target + row * 2, a2);
    v128.store(target + row * 3, a3);
    v128.store(target + row * 4, a4);
    v128.store(target + row * 5, a5);
  }
}
