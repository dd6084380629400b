// Layer and RMS normalisation of rows of any width. A row stays in the cache over the passes that it takes.
import { lanesBelow, SPAN } from './lines';
import { loadLanes, madd, nmadd, splat, storeLanes, sumLanes } from './math';

// What the reductions below leave behind; a function returns one number.
let first: f32 = 0;
let second: f32 = 0;

/** `first` and `second`: the sums of x - origin and of its square. */
function takeMoments(x: usize, width: i32, origin: f32): void {
  const shift = splat(origin);
  const body = width & ~3;
  let sums = splat(0.0);
  let squares = splat(0.0);
  for (let begin = 0; begin < body; begin += SPAN) {
    let s0 = splat(0.0);
    let s1 = splat(0.0);
    let q0 = splat(0.0);
    let q1 = splat(0.0);
    const end = min(body, begin + SPAN);
    let i = begin;
    for (; i + 8 <= end; i += 8) {
      const at = x + (<usize>i << 2);
      const d0 = f32x4.sub(v128.load(at), shift);
      const d1 = f32x4.sub(v128.load(at, 16), shift);
      s0 = f32x4.add(s0, d0);
      s1 = f32x4.add(s1, d1);
      q0 = madd(d0, d0, q0);
      q1 = madd(d1, d1, q1);
    }
    if (i < end) {
      const d = f32x4.sub(v128.load(x + (<usize>i << 2)), shift);
      s0 = f32x4.add(s0, d);
      q0 = madd(d, d, q0);
    }
    sums = f32x4.add(sums, f32x4.add(s0, s1));
    squares = f32x4.add(squares, f32x4.add(q0, q1));
  }
  if (body < width) {
    const d = v128.and(f32x4.sub(loadLanes(x + (<usize>body << 2), width - body), shift), lanesBelow(width - body));
    sums = f32x4.add(sums, d);
    squares = madd(d, d, squares);
  }
  first = sumLanes(sums);
  second = sumLanes(squares);
}

/** `(x - mean) / deviation` of up to four columns; lanes that are not there are anything. */
// @ts-ignore: decorator
@inline
function normal(x: usize, count: i32, origin: v128, shift: v128, scale: v128): v128 {
  return f32x4.mul(f32x4.sub(f32x4.sub(loadLanes(x, count), origin), shift), scale);
}

/**
 * `moments` gets three numbers per row, unless it is 0: the mean, what rounding took from it, and the inverse deviation; without
 * `centred` both means are 0. `bias` may be 0 for none.
 */
export function forward(
  x: usize,
  gain: usize,
  bias: usize,
  output: usize,
  moments: usize,
  rows: i32,
  width: i32,
  centred: bool,
  epsilon: f32,
): void {
  const row = <usize>width << 2;
  const n = <f32>width;
  const body = width & ~3;
  for (let r = 0; r < rows; r++) {
    let mean: f32 = 0;
    let rest: f32 = 0;
    if (centred) {
      takeMoments(x, width, 0);
      mean = first / n;
    }
    takeMoments(x, width, mean);
    if (centred) rest = first / n;
    const inverse: f32 = <f32>1 / sqrt<f32>(max<f32>(second / n - rest * rest, 0) + epsilon);
    if (moments != 0) {
      store<f32>(moments, mean);
      store<f32>(moments, rest, 4);
      store<f32>(moments, inverse, 8);
      moments += 12;
    }
    const origin = splat(mean);
    const shift = splat(rest);
    const scale = splat(inverse);
    let i = 0;
    for (; i < body; i += 4) {
      const at = <usize>i << 2;
      const h = normal(x + at, 4, origin, shift, scale);
      const g = v128.load(gain + at);
      v128.store(output + at, bias != 0 ? madd(h, g, v128.load(bias + at)) : f32x4.mul(h, g));
    }
    if (i < width) {
      const at = <usize>i << 2;
      const count = width - i;
      const h = normal(x + at, count, origin, shift, scale);
      const y = f32x4.mul(h, loadLanes(gain + at, count));
      storeLanes(output + at, bias != 0 ? f32x4.add(y, loadLanes(bias + at, count)) : y, count);
    }
    x += row;
    output += row;
  }
}

/** The gradient of up to four elements of a row, given the row's means of g and of g times the normalised row. */
// @ts-ignore: decorator
@inline
function spread(
  x: usize,
  gain: usize,
  dOutput: usize,
  dX: usize,
  at: usize,
  count: i32,
  origin: v128,
  shift: v128,
  scale: v128,
  mean: v128,
  slope: v128,
): void {
  const h = normal(x + at, count, origin, shift, scale);
  const g = f32x4.mul(loadLanes(dOutput + at, count), loadLanes(gain + at, count));
  storeLanes(dX + at, f32x4.mul(nmadd(h, slope, f32x4.sub(g, mean)), scale), count);
}

/** Adds partial sums to their totals and clears them. */
function close(total: usize, partial: usize, width: i32): void {
  for (let i = 0; i < width; i += 4) {
    const at = <usize>i << 2;
    const count = width - i;
    storeLanes(total + at, f32x4.add(loadLanes(total + at, count), loadLanes(partial + at, count)), count);
    storeLanes(partial + at, splat(0.0), count);
  }
}

/** `scratch` holds two rows, the sums over the last few rows. `dBias` may be 0 for none. */
export function backward(
  x: usize,
  gain: usize,
  moments: usize,
  dOutput: usize,
  dX: usize,
  dGain: usize,
  dBias: usize,
  scratch: usize,
  rows: i32,
  width: i32,
  centred: bool,
): void {
  const row = <usize>width << 2;
  const n = <f32>width;
  const body = width & ~3;
  const partialBias = dBias != 0 ? scratch + row : 0;
  memory.fill(scratch, 0, 2 * row);
  memory.fill(dGain, 0, row);
  if (dBias != 0) memory.fill(dBias, 0, row);
  for (let r = 0; r < rows; r++) {
    const origin = v128.load32_splat(moments);
    const shift = v128.load32_splat(moments, 4);
    const scale = v128.load32_splat(moments, 8);
    let sums = splat(0.0);
    let products = splat(0.0);
    for (let begin = 0; begin < body; begin += SPAN) {
      let sum = splat(0.0);
      let product = splat(0.0);
      const end = min(body, begin + SPAN);
      for (let i = begin; i < end; i += 4) {
        const at = <usize>i << 2;
        const h = normal(x + at, 4, origin, shift, scale);
        const received = v128.load(dOutput + at);
        const g = f32x4.mul(received, v128.load(gain + at));
        sum = f32x4.add(sum, g);
        product = madd(g, h, product);
        v128.store(scratch + at, madd(received, h, v128.load(scratch + at)));
        if (dBias != 0) v128.store(partialBias + at, f32x4.add(v128.load(partialBias + at), received));
      }
      sums = f32x4.add(sums, sum);
      products = f32x4.add(products, product);
    }
    if (body < width) {
      const at = <usize>body << 2;
      const count = width - body;
      const h = v128.and(normal(x + at, count, origin, shift, scale), lanesBelow(count));
      const received = loadLanes(dOutput + at, count);
      const g = f32x4.mul(received, loadLanes(gain + at, count));
      sums = f32x4.add(sums, g);
      products = madd(g, h, products);
      storeLanes(scratch + at, madd(received, h, loadLanes(scratch + at, count)), count);
      if (dBias != 0) storeLanes(partialBias + at, f32x4.add(loadLanes(partialBias + at, count), received), count);
    }
    const mean = splat(centred ? sumLanes(sums) / n : 0);
    const slope = splat(sumLanes(products) / n);
    let i = 0;
    for (; i < body; i += 4) spread(x, gain, dOutput, dX, <usize>i << 2, 4, origin, shift, scale, mean, slope);
    if (i < width) spread(x, gain, dOutput, dX, <usize>i << 2, width - i, origin, shift, scale, mean, slope);
    if ((r & 63) == 63 || r == rows - 1) {
      close(dGain, scratch, width);
      if (dBias != 0) close(dBias, partialBias, width);
    }
    x += row;
    dOutput += row;
    dX += row;
    moments += 12;
  }
}
