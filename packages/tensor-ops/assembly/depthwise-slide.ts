import { madd } from './math';

/** Neighbouring outputs that are made together. */
export const BLOCK: i32 = 4;

/** Steps over one vector of channels before the next one: its rows then stay in the first-level cache. */
const STEPS: i32 = 4;

/** The sums over the taps of a short window at one output, the first tap first. */
// @ts-ignore: decorator
@inline
function three(a: v128, b: v128, c: v128, k0: v128, k1: v128, k2: v128): v128 {
  return madd(c, k2, madd(b, k1, f32x4.mul(a, k0)));
}

/**
 * A window of three or four taps, at distance 1, over `steps` times four neighbouring outputs. The taps and what the window has seen stay in registers, so that each
 * input is loaded once.
 *
 * @param kernel - the first tap; the next is `tapStep` bytes on, which may be negative. @param from - what the first tap reads at the first output.
 */
export function slide(from: usize, kernel: usize, tapStep: isize, taps: i32, to: usize, steps: i32, dim: i32): void {
  const row = <usize>dim << 2;
  for (let first = 0; first < steps; first += STEPS) {
    const count = min(STEPS, steps - first);
    const begin = row * (first * BLOCK);
    for (let channel = 0; channel < dim; channel += 4) {
      // The last vector may take in channels of the one before.
      const at = <usize>min(channel, dim - 4) << 2;
      const k0 = v128.load(kernel + at);
      const k1 = v128.load(kernel + at + tapStep);
      const k2 = v128.load(kernel + at + 2 * tapStep);
      let p = from + begin + at;
      let q = to + begin + at;
      let a = v128.load(p);
      let b = v128.load(p + row);
      if (taps == 3) {
        for (let i = 0; i < count; i++) {
          const c = v128.load(p + 2 * row), d = v128.load(p + 3 * row), e = v128.load(p + 4 * row), f = v128.load(p + 5 * row);
          v128.store(q, three(a, b, c, k0, k1, k2));
          v128.store(q + row, three(b, c, d, k0, k1, k2));
          v128.store(q + 2 * row, three(c, d, e, k0, k1, k2));
          v128.store(q + 3 * row, three(d, e, f, k0, k1, k2));
          a = e;
          b = f;
          p += 4 * row;
          q += 4 * row;
        }
      } else {
        const k3 = v128.load(kernel + at + 3 * tapStep);
        let c = v128.load(p + 2 * row);
        for (let i = 0; i < count; i++) {
          const d = v128.load(p + 3 * row), e = v128.load(p + 4 * row), f = v128.load(p + 5 * row), g = v128.load(p + 6 * row);
          v128.store(q, madd(d, k3, three(a, b, c, k0, k1, k2)));
          v128.store(q + row, madd(e, k3, three(b, c, d, k0, k1, k2)));
          v128.store(q + 2 * row, madd(f, k3, three(c, d, e, k0, k1, k2)));
          v128.store(q + 3 * row, madd(g, k3, three(d, e, f, k0, k1, k2)));
          a = e;
          b = f;
          c = g;
          p += 4 * row;
          q += 4 * row;
        }
      }
    }
  }
}
