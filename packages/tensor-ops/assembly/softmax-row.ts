// What softmax and its kin do to one row, of any width. All of it is inlined: around a call the engine would keep every constant in memory.
import { lanesBelow, SPAN } from './lines';
import { loadLanes, madd, maximum, splat, storeLanes, sumLanes } from './math';

const LOWEST: f32 = -3.4028234663852886e38;

/**
 * Up to four elements of a row; masked ones and lanes that are not there weigh nothing, whatever they hold. `mask` may be 0 for
 * none.
 */
// @ts-ignore: decorator
@inline
function attended(x: usize, mask: usize, at: usize, count: i32): v128 {
  let values = loadLanes(x + at, count);
  const none = splat(-f32(Infinity));
  if (mask != 0) values = v128.bitselect(none, values, f32x4.eq(loadLanes(mask + at, count), splat(0.0)));
  return count < 4 ? v128.bitselect(values, none, lanesBelow(count)) : values;
}

/**
 * e^x for x <= 0, to 2.5e-7 of the largest result, which is 1: what `exp` does for digits of small results is left out. Exactly 0
 * below -87.7 and at -Infinity; NaN stays.
 */
// @ts-ignore: decorator
@inline
function weightOf(x: v128): v128 {
  const y = maximum(f32x4.mul(x, splat(1.44269504088896341)), splat(-127.0));
  // 1.5 * 2^23 rounds to an integer n; the 127 makes its low bits the exponent field of 2^n, which is 0 for n = -127.
  const shifted = f32x4.add(y, splat(12583039.0));
  const f = f32x4.sub(y, f32x4.sub(shifted, splat(12583039.0)));
  // 2^(f / 2), minimax in relative error: 8.5e-8. Its square takes one step less than 2^f itself.
  let p = madd(splat(0.0006006247826374723), f, splat(0.0069508288467326615));
  p = madd(p, f, splat(0.0600568451760561));
  p = madd(p, f, splat(0.3465728201873656));
  p = madd(p, f, splat(1.0));
  return f32x4.mul(f32x4.mul(p, p), i32x4.shl(shifted, 23));
}

/** The largest element of a row in every lane, a finite number also where there is none. */
// @ts-ignore: decorator
@inline
export function largestOf(x: usize, mask: usize, width: i32): v128 {
  let a = splat(LOWEST), b = a, c = a, d = a;
  let i = 0;
  if (mask == 0) {
    for (; i + 16 <= width; i += 16) {
      const at = x + (<usize>i << 2);
      a = maximum(v128.load(at), a);
      b = maximum(v128.load(at, 16), b);
      c = maximum(v128.load(at, 32), c);
      d = maximum(v128.load(at, 48), d);
    }
  }
  for (; i < width; i += 4) a = maximum(attended(x, mask, <usize>i << 2, width - i), a);
  let largest = f32x4.max(f32x4.max(a, b), f32x4.max(c, d));
  largest = f32x4.max(largest, v128.shuffle<f32>(largest, largest, 2, 3, 0, 1));
  return f32x4.max(largest, v128.shuffle<f32>(largest, largest, 1, 0, 3, 2));
}

/** The sum over a row of e^(x - shift), stored one by one as well if `stores`. Four vectors are in flight, for one would wait for itself. */
// @ts-ignore: decorator
@inline
export function exponentialsOf(x: usize, mask: usize, target: usize, stores: bool, width: i32, shift: v128): f32 {
  let total = splat(0.0);
  for (let begin = 0; begin < width; begin += SPAN) {
    const end = min(width, begin + SPAN);
    let a = splat(0.0), b = a, c = a, d = a;
    let i = begin;
    if (mask == 0) {
      for (; i + 16 <= end; i += 16) {
        const at = <usize>i << 2;
        const first = weightOf(f32x4.sub(v128.load(x + at), shift));
        const second = weightOf(f32x4.sub(v128.load(x + at, 16), shift));
        const third = weightOf(f32x4.sub(v128.load(x + at, 32), shift));
        const fourth = weightOf(f32x4.sub(v128.load(x + at, 48), shift));
        if (stores) {
          v128.store(target + at, first);
          v128.store(target + at, second, 16);
          v128.store(target + at, third, 32);
          v128.store(target + at, fourth, 48);
        }
        a = f32x4.add(a, first);
        b = f32x4.add(b, second);
        c = f32x4.add(c, third);
        d = f32x4.add(d, fourth);
      }
    }
    let sum = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
    for (; i < end; i += 4) {
      const at = <usize>i << 2;
      const weight = weightOf(f32x4.sub(attended(x, mask, at, end - i), shift));
      if (stores) storeLanes(target + at, weight, end - i);
      sum = f32x4.add(sum, weight);
    }
    total = f32x4.add(total, sum);
  }
  return sumLanes(total);
}

/** row *= factor */
// @ts-ignore: decorator
@inline
export function scaleBy(row: usize, width: i32, factor: f32): void {
  const share = splat(factor);
  let i = 0;
  for (; i + 16 <= width; i += 16) {
    const at = row + (<usize>i << 2);
    v128.store(at, f32x4.mul(v128.load(at), share));
    v128.store(at, f32x4.mul(v128.load(at, 16), share), 16);
    v128.store(at, f32x4.mul(v128.load(at, 32), share), 32);
    v128.store(at, f32x4.mul(v128.load(at, 48), share), 48);
  }
  for (; i < width; i += 4) {
    const at = row + (<usize>i << 2);
    storeLanes(at, f32x4.mul(loadLanes(at, width - i), share), width - i);
  }
}
