import { madd } from '../../tensor-ops/assembly/math';

/** Outputs that are made together. */
export const GROUP: i32 = 4;

/**
 * Taps that read consecutive rows, each one row before the last one's, over `count` outputs, a multiple of 4: an input is loaded once for four taps, and an
 * output stored once. Each output is summed over the taps in order.
 *
 * @param from - what the first tap reads at the first output. @param kernel - the first tap; the next is `kernelStep` bytes on, which may be negative.
 * @param dim - a multiple of 4. @param begun - adds to what is there.
 */
export function slideRun(
  from: usize, kernel: usize, kernelStep: isize, taps: i32, to: usize, count: i32, dim: i32, begun: bool, ahead: i32,
): void {
  const row = <usize>dim << 2;
  const later = row * ahead;
  for (let p: i32 = 0; p < count; p += GROUP) {
    for (let c: usize = 0; c < row; c += 16) {
      // Four rows are one stretch of memory, of which each step asks for a line.
      load<u8>(from + later + (c << 2));
      load<u8>(to + later + (c << 2));
      let source = from + c;
      let tap = kernel + c;
      let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
      // Of four rows at a time each is one later than the row before it; a step back loads one and drops the latest.
      let r0 = v128.load(source), r1 = v128.load(source + row), r2 = v128.load(source + row * 2), r3 = v128.load(source + row * 3);
      let left = taps;
      for (; left > 4; left -= 4) {
        let k = v128.load(tap);
        a0 = madd(r0, k, a0);
        a1 = madd(r1, k, a1);
        a2 = madd(r2, k, a2);
        a3 = madd(r3, k, a3);
        tap += kernelStep;
        source -= row;
        r3 = v128.load(source);
        k = v128.load(tap);
        a0 = madd(r3, k, a0);
        a1 = madd(r0, k, a1);
        a2 = madd(r1, k, a2);
        a3 = madd(r2, k, a3);
        tap += kernelStep;
        source -= row;
        r2 = v128.load(source);
        k = v128.load(tap);
        a0 = madd(r2, k, a0);
        a1 = madd(r3, k, a1);
        a2 = madd(r0, k, a2);
        a3 = madd(r1, k, a3);
        tap += kernelStep;
        source -= row;
        r1 = v128.load(source);
        k = v128.load(tap);
        a0 = madd(r1, k, a0);
        a1 = madd(r2, k, a1);
        a2 = madd(r3, k, a2);
        a3 = madd(r0, k, a3);
        tap += kernelStep;
        source -= row;
        r0 = v128.load(source);
      }
      let k = v128.load(tap);
      a0 = madd(r0, k, a0);
      a1 = madd(r1, k, a1);
      a2 = madd(r2, k, a2);
      a3 = madd(r3, k, a3);
      if (left > 1) {
        r3 = v128.load(source - row);
        k = v128.load(tap + kernelStep);
        a0 = madd(r3, k, a0);
        a1 = madd(r0, k, a1);
        a2 = madd(r1, k, a2);
        a3 = madd(r2, k, a3);
      }
      if (left > 2) {
        r2 = v128.load(source - row * 2);
        k = v128.load(tap + kernelStep * 2);
        a0 = madd(r2, k, a0);
        a1 = madd(r3, k, a1);
        a2 = madd(r0, k, a2);
        a3 = madd(r1, k, a3);
      }
      if (left > 3) {
        r1 = v128.load(source - row * 3);
        k = v128.load(tap + kernelStep * 3);
        a0 = madd(r1, k, a0);
        a1 = madd(r2, k, a1);
        a2 = madd(r3, k, a2);
        a3 = madd(r0, k, a3);
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
    from += row * GROUP;
    to += row * GROUP;
  }
}
