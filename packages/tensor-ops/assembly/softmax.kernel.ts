// Softmax and what is made of it, over rows of any width. Axes other than the last are swapped before and after.
import { lanesBelow, SPAN } from './lines';
import { loadLanes, madd, maximum, scalarExp, scalarLog, splat, storeLanes, sumLanes } from './math';

export { swapAxes } from './swap-axes';

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

/** The same as a call, for what is not on a hot path: code is shipped, so it is kept short. */
function weightCall(x: v128): v128 {
  return weightOf(x);
}

/** The largest element of a row, a finite number also where there is none. */
function largestOf(x: usize, mask: usize, width: i32): f32 {
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
  const largest = f32x4.max(f32x4.max(a, b), f32x4.max(c, d));
  return max<f32>(
    max<f32>(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max<f32>(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
}

/**
 * The sum of e^(x - largest) over `count` elements, a multiple of 16, stored one by one as well, unless `target` is 0. Four vectors are in flight, for
 * one would wait for itself; and there is no call here, around which the engine would keep every constant in memory.
 */
function exponentialsOf(x: usize, target: usize, count: i32, largest: f32): v128 {
  const shift = splat(largest);
  let a = splat(0.0), b = a, c = a, d = a;
  for (let i = 0; i < count; i += 16) {
    const at = <usize>i << 2;
    const first = weightOf(f32x4.sub(v128.load(x + at), shift));
    const second = weightOf(f32x4.sub(v128.load(x + at, 16), shift));
    const third = weightOf(f32x4.sub(v128.load(x + at, 32), shift));
    const fourth = weightOf(f32x4.sub(v128.load(x + at, 48), shift));
    if (target != 0) {
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
  return f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
}

/** The sum over a row of e^(x - largest), stored one by one as well, unless `target` is 0. */
function exponentials(x: usize, mask: usize, target: usize, width: i32, largest: f32): f32 {
  const shift = splat(largest);
  let total = splat(0.0);
  for (let begin = 0; begin < width; begin += SPAN) {
    const end = min(width, begin + SPAN);
    const body = mask == 0 ? (end - begin) & ~15 : 0;
    const first = <usize>begin << 2;
    let sum = exponentialsOf(x + first, target != 0 ? target + first : 0, body, largest);
    for (let i = begin + body; i < end; i += 4) {
      const at = <usize>i << 2;
      const weight = weightCall(f32x4.sub(attended(x, mask, at, end - i), shift));
      if (target != 0) storeLanes(target + at, weight, end - i);
      sum = f32x4.add(sum, weight);
    }
    total = f32x4.add(total, sum);
  }
  return sumLanes(total);
}

/** row *= factor */
function scale(row: usize, width: i32, factor: f32): void {
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

/** A row without anything to attend to gives 0. There are `maskRows` rows of the mask, which serve the rows of `x` in turn. */
export function softmax(x: usize, mask: usize, maskRows: i32, output: usize, rows: i32, width: i32): void {
  const row = <usize>width << 2;
  for (let r = 0; r < rows; r++) {
    const own = mask != 0 ? mask + row * (r % maskRows) : 0;
    const total = exponentials(x, own, output, width, largestOf(x, own, width));
    scale(output, width, total == 0 ? 0 : <f32>1 / total);
    x += row;
    output += row;
  }
}

export function softmaxBackward(output: usize, dOutput: usize, dX: usize, rows: i32, width: i32): void {
  const row = <usize>width << 2;
  for (let r = 0; r < rows; r++) {
    let total = splat(0.0);
    for (let begin = 0; begin < width; begin += SPAN) {
      let sum = splat(0.0);
      const end = min(width, begin + SPAN);
      let i = begin;
      for (; i + 4 <= end; i += 4) {
        const at = <usize>i << 2;
        sum = madd(v128.load(output + at), v128.load(dOutput + at), sum);
      }
      if (i < end) sum = madd(loadLanes(output + (<usize>i << 2), end - i), loadLanes(dOutput + (<usize>i << 2), end - i), sum);
      total = f32x4.add(total, sum);
    }
    const mean = splat(sumLanes(total));
    let i = 0;
    for (; i + 4 <= width; i += 4) {
      const at = <usize>i << 2;
      v128.store(dX + at, f32x4.mul(v128.load(output + at), f32x4.sub(v128.load(dOutput + at), mean)));
    }
    if (i < width) {
      const at = <usize>i << 2;
      const gradient = f32x4.mul(loadLanes(output + at, width - i), f32x4.sub(loadLanes(dOutput + at, width - i), mean));
      storeLanes(dX + at, gradient, width - i);
    }
    output += row;
    dOutput += row;
    dX += row;
  }
}

/** `largest` and `logSum`, whose sum is `output`, are wanted for the gradient; both may be 0. */
export function logSumExp(x: usize, output: usize, largest: usize, logSum: usize, rows: i32, width: i32): void {
  for (let r = 0; r < rows; r++) {
    const top = largestOf(x, 0, width);
    const sum = scalarLog(exponentials(x, 0, 0, width, top));
    const at = <usize>r << 2;
    store<f32>(output + at, top + sum);
    if (largest != 0) {
      store<f32>(largest + at, top);
      store<f32>(logSum + at, sum);
    }
    x += <usize>width << 2;
  }
}

/** factor softmax(x) of a row. */
function weigh(x: usize, target: usize, width: i32, largest: f32, logSum: f32, factor: f32): void {
  exponentials(x, 0, target, width, largest);
  scale(target, width, factor * scalarExp(-logSum));
}

export function logSumExpBackward(x: usize, largest: usize, logSum: usize, dOutput: usize, dX: usize, rows: i32, width: i32): void {
  for (let r = 0; r < rows; r++) {
    const at = <usize>r << 2;
    const row = <usize>r * <usize>width << 2;
    weigh(x + row, dX + row, width, load<f32>(largest + at), load<f32>(logSum + at), load<f32>(dOutput + at));
  }
}

/** The first row whose label is no class, or -1. */
export function strangeLabel(labels: usize, rows: i32, classes: i32): i32 {
  for (let r = 0; r < rows; r++) if (load<u32>(labels + (<usize>r << 2)) >= <u32>classes) return r;
  return -1;
}

/**
 * The mean loss of rows of logits. Each row has a label, or a row of `targets` with the probability of every class; the other
 * pointer is 0.
 */
export function crossEntropy(
  logits: usize,
  labels: usize,
  targets: usize,
  loss: usize,
  largest: usize,
  logSum: usize,
  rows: i32,
  classes: i32,
): void {
  let total: f64 = 0;
  for (let r = 0; r < rows; r++) {
    const at = <usize>r << 2;
    const row = <usize>r * <usize>classes << 2;
    const top = largestOf(logits + row, 0, classes);
    const sum = scalarLog(exponentials(logits + row, 0, 0, classes, top));
    if (largest != 0) {
      store<f32>(largest + at, top);
      store<f32>(logSum + at, sum);
    }
    // The largest logit is taken off first: it may be far above the loss.
    if (labels != 0) {
      total += <f64>(top - load<f32>(logits + row + (<usize>load<u32>(labels + at) << 2)) + sum);
      continue;
    }
    for (let begin = 0; begin < classes; begin += SPAN) {
      let part = splat(0.0);
      const end = min(classes, begin + SPAN);
      for (let i = begin; i < end; i += 4) {
        const j = row + (<usize>i << 2);
        const surprise = f32x4.add(f32x4.sub(splat(top), loadLanes(logits + j, end - i)), splat(sum));
        part = madd(loadLanes(targets + j, end - i), surprise, part);
      }
      total += <f64>sumLanes(part);
    }
  }
  store<f32>(loss, <f32>(total / <f64>rows));
}

export function crossEntropyBackward(
  logits: usize,
  labels: usize,
  targets: usize,
  largest: usize,
  logSum: usize,
  dLoss: usize,
  dLogits: usize,
  rows: i32,
  classes: i32,
): void {
  const scale = load<f32>(dLoss) / <f32>rows;
  for (let r = 0; r < rows; r++) {
    const at = <usize>r << 2;
    const row = <usize>r * <usize>classes << 2;
    let mass: f32 = 1;
    if (targets != 0) {
      let sum = splat(0.0);
      for (let i = 0; i < classes; i += 4) sum = f32x4.add(sum, loadLanes(targets + row + (<usize>i << 2), classes - i));
      mass = sumLanes(sum);
    }
    weigh(logits + row, dLogits + row, classes, load<f32>(largest + at), load<f32>(logSum + at), scale * mass);
    if (labels != 0) {
      const own = dLogits + row + (<usize>load<u32>(labels + at) << 2);
      store<f32>(own, load<f32>(own) - scale);
      continue;
    }
    for (let i = 0; i < classes; i += 4) {
      const j = row + (<usize>i << 2);
      const gradient = f32x4.sub(loadLanes(dLogits + j, classes - i), f32x4.mul(loadLanes(targets + j, classes - i), splat(scale)));
      storeLanes(dLogits + j, gradient, classes - i);
    }
  }
}
