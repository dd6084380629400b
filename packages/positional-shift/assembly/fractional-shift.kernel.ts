// Each head's channels of [batch, time, dim] shifted by a real offset of its own, between two neighbouring places in proportion.
import { loadLanes, madd, splat, storeLanes } from '../../tensor-ops/assembly/math';
import { Boundary, resolved } from './boundary';

/** The whole part of an offset, brought to where a sum with a place needs no more than one turn; 0 if it is not finite, whose rest then is NaN. */
function wholeOf(floored: f32, time: i32, boundary: i32): i32 {
  if (floored - floored != 0) return 0;
  if (boundary == Boundary.CIRCULAR) {
    const turned = <f64>floored - floor<f64>(<f64>floored / <f64>time) * <f64>time;
    return <i32>turned % time;
  }
  return <i32>(min(max(floored, <f32>(-time - 1)), <f32>(time + 1)));
}

/** The address of what a place stands for, 0 for zeros. */
// @ts-ignore: decorator
@inline
function rowOf(x: usize, place: i32, time: i32, row: usize, boundary: i32): usize {
  const at = resolved(place, time, boundary);
  return at < 0 ? 0 : x + row * at;
}

/** out = (1 - f) x[n - i] + f x[n - i - 1]. */
export function forward(x: usize, offset: usize, out: usize, batch: i32, time: i32, dim: i32, heads: i32, boundary: i32): void {
  const row = <usize>dim << 2;
  const headDim = dim / heads;
  for (let h: i32 = 0; h < heads; h++) {
    const real = load<f32>(offset + (<usize>h << 2));
    const floored = floor<f32>(real);
    const rest = real - floored;
    const whole = wholeOf(floored, time, boundary);
    const f = splat(rest), g = splat(1 - rest);
    const channel = <usize>(h * headDim) << 2;
    for (let b: i32 = 0; b < batch; b++) {
      const first = x + row * (b * time) + channel;
      let to = out + row * (b * time) + channel;
      for (let n: i32 = 0; n < time; n++) {
        const near = rowOf(first, n - whole, time, row, boundary), far = rowOf(first, n - whole - 1, time, row, boundary);
        for (let c: i32 = 0; c < headDim; c += 4) {
          const at = <usize>c << 2;
          const lanes = headDim - c;
          const a = near ? loadLanes(near + at, lanes) : splat(0);
          const d = far ? loadLanes(far + at, lanes) : splat(0);
          storeLanes(to + at, madd(d, f, f32x4.mul(a, g)), lanes);
        }
        to += row;
      }
    }
  }
}

/** dX = what goes back to the two places that each place read. */
export function backwardInput(
  dOutput: usize, offset: usize, dX: usize, batch: i32, time: i32, dim: i32, heads: i32, boundary: i32,
): void {
  const row = <usize>dim << 2;
  const headDim = dim / heads;
  memory.fill(dX, 0, row * (batch * time));
  for (let h: i32 = 0; h < heads; h++) {
    const real = load<f32>(offset + (<usize>h << 2));
    const floored = floor<f32>(real);
    const rest = real - floored;
    const whole = wholeOf(floored, time, boundary);
    const channel = <usize>(h * headDim) << 2;
    for (let b: i32 = 0; b < batch; b++) {
      const first = dX + row * (b * time) + channel;
      let from = dOutput + row * (b * time) + channel;
      for (let n: i32 = 0; n < time; n++) {
        addScaled(from, rowOf(first, n - whole, time, row, boundary), headDim, splat(1 - rest));
        addScaled(from, rowOf(first, n - whole - 1, time, row, boundary), headDim, splat(rest));
        from += row;
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function addScaled(from: usize, to: usize, count: i32, by: v128): void {
  if (!to) return;
  for (let c: i32 = 0; c < count; c += 4) {
    const at = <usize>c << 2;
    const lanes = count - c;
    storeLanes(to + at, madd(loadLanes(from + at, lanes), by, loadLanes(to + at, lanes)), lanes);
  }
}

/** dOffset[h] = the sum of what arrives times (x[n - i - 1] - x[n - i]). */
export function backwardOffset(
  x: usize, dOutput: usize, offset: usize, dOffset: usize, batch: i32, time: i32, dim: i32, heads: i32, boundary: i32,
): void {
  const row = <usize>dim << 2;
  const headDim = dim / heads;
  for (let h: i32 = 0; h < heads; h++) {
    const real = load<f32>(offset + (<usize>h << 2));
    const floored = floor<f32>(real);
    const whole = wholeOf(floored, time, boundary);
    const channel = <usize>(h * headDim) << 2;
    let total: f64 = 0;
    for (let b: i32 = 0; b < batch; b++) {
      const first = x + row * (b * time) + channel;
      let from = dOutput + row * (b * time) + channel;
      for (let n: i32 = 0; n < time; n++) {
        const near = rowOf(first, n - whole, time, row, boundary), far = rowOf(first, n - whole - 1, time, row, boundary);
        let sum = splat(0);
        for (let c: i32 = 0; c < headDim; c += 4) {
          const at = <usize>c << 2;
          const lanes = headDim - c;
          const a = near ? loadLanes(near + at, lanes) : splat(0);
          const d = far ? loadLanes(far + at, lanes) : splat(0);
          sum = madd(loadLanes(from + at, lanes), f32x4.sub(d, a), sum);
        }
        total += <f64>f32x4.extract_lane(sum, 0) + <f64>f32x4.extract_lane(sum, 1);
        total += <f64>f32x4.extract_lane(sum, 2) + <f64>f32x4.extract_lane(sum, 3);
        from += row;
      }
    }
    // What is not finite has to be carried over.
    store<f32>(dOffset + (<usize>h << 2), <f32>total + (real - real));
  }
}
