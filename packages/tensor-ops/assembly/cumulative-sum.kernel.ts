// Running sums over the middle axis of [outer, time, inner]. Each sum carries the rounding error of its last addition into the next (Kahan), so the
// error does not grow with time.
import { loadLanes, splat, storeLanes } from './math';

/** The new correction, 0 instead of the NaN that a sum beyond the largest float32 leaves. */
// @ts-ignore: decorator
@inline
function correction(next: v128, sum: v128, term: v128): v128 {
  const lost = f32x4.sub(f32x4.sub(next, sum), term);
  return v128.and(lost, f32x4.eq(lost, lost));
}

// @ts-ignore: decorator
@inline
function reversed(x: v128): v128 {
  return v128.shuffle<i32>(x, x, 3, 2, 1, 0);
}

// @ts-ignore: decorator
@inline
function lastLane(x: v128): v128 {
  return v128.shuffle<i32>(x, x, 3, 3, 3, 3);
}

/** Each lane plus the lanes before it. */
// @ts-ignore: decorator
@inline
function prefix(x: v128): v128 {
  const zero = splat(0.0);
  const pairs = f32x4.add(x, v128.shuffle<i32>(zero, x, 0, 4, 5, 6));
  return f32x4.add(pairs, v128.shuffle<i32>(zero, pairs, 0, 1, 4, 5));
}

/** Four steps in the order in which they are summed. */
// @ts-ignore: decorator
@inline
function loadSteps(at: usize, reverse: bool): v128 {
  return reverse ? reversed(v128.load(at)) : v128.load(at);
}

// @ts-ignore: decorator
@inline
function storeSteps(at: usize, x: v128, reverse: bool): void {
  v128.store(at, reverse ? reversed(x) : x);
}

/** One contiguous row: sums inside sixteen steps are plain, the carry from sixteen to sixteen is corrected. */
function sumRow(x: usize, output: usize, time: i32, exclusive: bool, reverse: bool): void {
  let sum = splat(0.0);
  let lost = splat(0.0);
  let t: i32 = 0;
  for (; t + 16 <= time; t += 16) {
    // Reversed, the vectors follow each other downwards.
    const begin = <usize>(reverse ? time - t - 4 : t) << 2;
    const step: usize = reverse ? -16 : 16;
    const x0 = loadSteps(x + begin, reverse);
    const x1 = loadSteps(x + begin + step, reverse);
    const x2 = loadSteps(x + begin + 2 * step, reverse);
    const x3 = loadSteps(x + begin + 3 * step, reverse);
    const p0 = prefix(x0);
    const p1 = f32x4.add(prefix(x1), lastLane(p0));
    const p2 = f32x4.add(prefix(x2), lastLane(p1));
    const p3 = f32x4.add(prefix(x3), lastLane(p2));
    const at = output + begin;
    if (exclusive) {
      storeSteps(at, f32x4.add(sum, f32x4.sub(v128.shuffle<i32>(splat(0.0), p0, 0, 4, 5, 6), lost)), reverse);
      storeSteps(at + step, f32x4.add(sum, f32x4.sub(v128.shuffle<i32>(p0, p1, 3, 4, 5, 6), lost)), reverse);
      storeSteps(at + 2 * step, f32x4.add(sum, f32x4.sub(v128.shuffle<i32>(p1, p2, 3, 4, 5, 6), lost)), reverse);
      storeSteps(at + 3 * step, f32x4.add(sum, f32x4.sub(v128.shuffle<i32>(p2, p3, 3, 4, 5, 6), lost)), reverse);
    } else {
      storeSteps(at, f32x4.add(sum, f32x4.sub(p0, lost)), reverse);
      storeSteps(at + step, f32x4.add(sum, f32x4.sub(p1, lost)), reverse);
      storeSteps(at + 2 * step, f32x4.add(sum, f32x4.sub(p2, lost)), reverse);
      storeSteps(at + 3 * step, f32x4.add(sum, f32x4.sub(p3, lost)), reverse);
    }
    const term = f32x4.sub(lastLane(p3), lost);
    const next = f32x4.add(sum, term);
    lost = correction(next, sum, term);
    sum = next;
  }
  for (; t < time; t++) {
    const at = <usize>(reverse ? time - 1 - t : t) << 2;
    const term = f32x4.sub(v128.load32_splat(x + at), lost);
    const next = f32x4.add(sum, term);
    v128.store_lane<f32>(output + at, exclusive ? sum : next, 0);
    lost = correction(next, sum, term);
    sum = next;
  }
}

/** `scratch` holds two rows of `inner` floats, rounded up to four. */
export function cumulativeSum(
  x: usize,
  output: usize,
  scratch: usize,
  outer: i32,
  time: i32,
  inner: i32,
  exclusive: bool,
  reverse: bool,
): void {
  const row = <usize>inner << 2;
  if (inner == 1) {
    const all = <usize>time << 2;
    for (let o: i32 = 0; o < outer; o++) sumRow(x + <usize>o * all, output + <usize>o * all, time, exclusive, reverse);
    return;
  }
  const slots = (row + 15) & ~15;
  for (let o: i32 = 0; o < outer; o++) {
    memory.fill(scratch, 0, 2 * slots);
    for (let t: i32 = 0; t < time; t++) {
      const begin = (<usize>o * time + (reverse ? time - 1 - t : t)) * row;
      for (let c: i32 = 0; c < inner; c += 4) {
        const slot = scratch + (<usize>c << 2);
        const at = begin + (<usize>c << 2);
        const sum = v128.load(slot);
        const term = f32x4.sub(loadLanes(x + at, inner - c), v128.load(slot + slots));
        const next = f32x4.add(sum, term);
        storeLanes(output + at, exclusive ? sum : next, inner - c);
        v128.store(slot + slots, correction(next, sum, term));
        v128.store(slot, next);
      }
    }
  }
}
