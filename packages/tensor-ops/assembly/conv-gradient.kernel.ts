// The gradients of tfjs's convolutions over [batch, height, width, channels], with any stride, dilation and padding; top and left are the paddings there.
import { accumulate } from './accumulate';
import { loadLanes, madd, splat, storeLanes } from './math';

export { movePatches } from './conv-patches';

/** So many products are added one after the other, then to the total, so that rounding does not add up. */
const SPAN: i32 = 64;

/** sum += part, with what rounding lost. */
export function addPart(sum: usize, lost: usize, part: usize, count: i32): void {
  for (let i = 0; i < count; i += 4) {
    const at = <usize>i << 2;
    accumulate(sum + at, lost + at, loadLanes(part + at, count - i), count - i);
  }
}

/** The output at which tap `k` reads `place`, or -1. */
// @ts-ignore: decorator
@inline
function outputOf(place: i32, k: i32, outputs: i32, stride: i32, dilation: i32, before: i32): i32 {
  const reach = place + before - k * dilation;
  if (reach < 0 || reach % stride != 0) return -1;
  const output = reach / stride;
  return output < outputs ? output : -1;
}

/** Bytes of working memory of `depthwiseInput`: a list of taps per column, and one pixel. */
export function depthwiseInputScratchBytes(width: i32, windowWidth: i32, outChannels: i32): i32 {
  return width * (4 + 8 * windowWidth) + (outChannels << 2);
}

/** Lists for each column how many taps reach it, and per tap where it stands in a row of the kernel and where its output stands in a row, in bytes. */
function listColumns(table: usize, width: i32, outWidth: i32, windowWidth: i32, stride: i32, dilation: i32, left: i32, pixel: usize): void {
  const bytes = <usize>(4 + 8 * windowWidth);
  for (let x = 0; x < width; x++) {
    let count = 0;
    for (let k = 0; k < windowWidth; k++) {
      const output = outputOf(x, k, outWidth, stride, dilation, left);
      if (output < 0) continue;
      store<u32>(table + 4 + (<usize>count << 3), <u32>(pixel * k));
      store<u32>(table + 4 + (<usize>count << 3), <u32>(pixel * output), 4);
      count++;
    }
    store<u32>(table, count);
    table += bytes;
  }
}

/** The gradient of x: each of its pixels gathers the outputs that read it. `multiplier` channels of the output belong to each of x. */
export function depthwiseInput(
  dOutput: usize, kernel: usize, dX: usize, scratch: usize, batch: i32, height: i32, width: i32, channels: i32, multiplier: i32,
  outHeight: i32, outWidth: i32, windowHeight: i32, windowWidth: i32, strideY: i32, strideX: i32, dilationY: i32, dilationX: i32,
  top: i32, left: i32,
): void {
  const outChannels = channels * multiplier;
  const pixel = <usize>outChannels << 2;
  const entry = <usize>(4 + 8 * windowWidth);
  const whole = scratch + entry * width;
  listColumns(scratch, width, outWidth, windowWidth, strideX, dilationX, left, pixel);
  for (let b = 0; b < batch; b++) {
    for (let y = 0; y < height; y++) {
      let column = scratch;
      for (let x = 0; x < width; x++) {
        const target = multiplier == 1 ? dX : whole;
        let c = 0;
        for (; c + 8 <= outChannels; c += 8) {
          const at = <usize>c << 2;
          let low = splat(0.0);
          let high = low;
          for (let ky = 0; ky < windowHeight; ky++) {
            const output = outputOf(y, ky, outHeight, strideY, dilationY, top);
            if (output < 0) continue;
            const taps = kernel + at + pixel * (ky * windowWidth);
            const row = dOutput + at + pixel * (output * outWidth);
            let a = splat(0.0);
            let b = a;
            const last = column + (<usize>load<u32>(column) << 3);
            for (let tap = column; tap < last; tap += 8) {
              const weight = taps + load<u32>(tap, 4);
              const gradient = row + load<u32>(tap, 8);
              a = madd(v128.load(weight), v128.load(gradient), a);
              b = madd(v128.load(weight, 16), v128.load(gradient, 16), b);
            }
            low = f32x4.add(low, a);
            high = f32x4.add(high, b);
          }
          v128.store(target + at, low);
          v128.store(target + at, high, 16);
        }
        for (; c < outChannels; c += 4) {
          const at = <usize>c << 2;
          const lanes = outChannels - c;
          let sum = splat(0.0);
          for (let ky = 0; ky < windowHeight; ky++) {
            const output = outputOf(y, ky, outHeight, strideY, dilationY, top);
            if (output < 0) continue;
            const taps = kernel + at + pixel * (ky * windowWidth);
            const row = dOutput + at + pixel * (output * outWidth);
            let part = splat(0.0);
            const last = column + (<usize>load<u32>(column) << 3);
            for (let tap = column; tap < last; tap += 8) {
              part = madd(loadLanes(taps + load<u32>(tap, 4), lanes), loadLanes(row + load<u32>(tap, 8), lanes), part);
            }
            sum = f32x4.add(sum, part);
          }
          storeLanes(target + at, sum, lanes);
        }
        if (multiplier != 1) foldGroups(whole, dX, channels, multiplier);
        dX += <usize>channels << 2;
        column += entry;
      }
    }
    dOutput += pixel * outHeight * outWidth;
  }
}

/** to[c] = the sum of the `size` numbers of group c. */
function foldGroups(from: usize, to: usize, groups: i32, size: i32): void {
  for (let c = 0; c < groups; c++) {
    let sum: f32 = 0;
    for (let m = 0; m < size; m++) {
      sum += load<f32>(from);
      from += 4;
    }
    store<f32>(to + (<usize>c << 2), sum);
  }
}

/** Each of `count` numbers `size` times over. */
function repeatEach(from: usize, to: usize, count: i32, size: i32): void {
  for (let i = 0; i < count; i++) {
    const value = load<f32>(from + (<usize>i << 2));
    for (let m = 0; m < size; m++) {
      store<f32>(to, value);
      to += 4;
    }
  }
}

/**
 * The gradient of the kernel, row by row of x. `lost` is as large as the kernel; `row` is as large as a row of x with `multiplier` times its channels, and
 * not used if that is 1.
 */
export function depthwiseFilter(
  x: usize, dOutput: usize, dKernel: usize, lost: usize, row: usize, batch: i32, height: i32, width: i32, channels: i32, multiplier: i32,
  outHeight: i32, outWidth: i32, windowHeight: i32, windowWidth: i32, strideY: i32, strideX: i32, dilationY: i32, dilationX: i32,
  top: i32, left: i32,
): void {
  const outChannels = channels * multiplier;
  const pixel = <usize>outChannels << 2;
  const kernelBytes = pixel * (windowHeight * windowWidth);
  memory.fill(dKernel, 0, kernelBytes);
  memory.fill(lost, 0, kernelBytes);
  for (let b = 0; b < batch; b++) {
    for (let y = 0; y < height; y++) {
      if (multiplier != 1) repeatEach(x, row, width * channels, multiplier);
      const source = multiplier == 1 ? x : row;
      for (let ky = 0; ky < windowHeight; ky++) {
        const output = outputOf(y, ky, outHeight, strideY, dilationY, top);
        if (output < 0) continue;
        const gradients = dOutput + pixel * (output * outWidth);
        for (let kx = 0; kx < windowWidth; kx++) {
          // The column that the first output would read.
          const offset = kx * dilationX - left;
          const begin = offset < 0 ? (strideX - 1 - offset) / strideX : 0;
          const end = offset < width ? min(outWidth, (width - 1 - offset) / strideX + 1) : 0;
          const tap = pixel * (ky * windowWidth + kx);
          for (let span = begin; span < end; span += SPAN) {
            const last = min(end, span + SPAN);
            const from = source + pixel * (span * strideX + offset);
            addProducts(from, gradients + pixel * span, dKernel + tap, lost + tap, last - span, outChannels, pixel * strideX, pixel);
          }
        }
      }
      x += (<usize>channels << 2) * width;
    }
    dOutput += pixel * outHeight * outWidth;
  }
}

/** sum += the products, channel by channel, of `count` pixels of either side. */
// @ts-ignore: decorator
@inline
function addProducts(a: usize, b: usize, sum: usize, lost: usize, count: i32, channels: i32, aStep: usize, bStep: usize): void {
  let c = 0;
  for (; c + 16 <= channels; c += 16) {
    const at = <usize>c << 2;
    let p = a + at;
    let s0 = splat(0.0), s1 = s0, s2 = s0, s3 = s0;
    const last = b + at + bStep * count;
    for (let q = b + at; q < last; q += bStep) {
      s0 = madd(v128.load(p), v128.load(q), s0);
      s1 = madd(v128.load(p, 16), v128.load(q, 16), s1);
      s2 = madd(v128.load(p, 32), v128.load(q, 32), s2);
      s3 = madd(v128.load(p, 48), v128.load(q, 48), s3);
      p += aStep;
    }
    accumulate(sum + at, lost + at, s0, 4);
    accumulate(sum + at + 16, lost + at + 16, s1, 4);
    accumulate(sum + at + 32, lost + at + 32, s2, 4);
    accumulate(sum + at + 48, lost + at + 48, s3, 4);
  }
  for (; c < channels; c += 4) {
    const at = <usize>c << 2;
    const lanes = channels - c;
    let p = a + at;
    let part = splat(0.0);
    const last = b + at + bStep * count;
    for (let q = b + at; q < last; q += bStep) {
      part = madd(loadLanes(p, lanes), loadLanes(q, lanes), part);
      p += aStep;
    }
    accumulate(sum + at, lost + at, part, lanes);
  }
}
