// A few tokens, as in a step of a stream: everything is read once where it lies, for packing would take longer than the products.
import { FLOOR, NONE, take } from '../../tensor-ops/assembly/attention-head';
import { scaleFloats } from '../../tensor-ops/assembly/attention-panels';
import { multiplyRow } from '../../tensor-ops/assembly/gemm-row';
import { expNegative, loadLanes, madd, maximum, splat, storeLanes, sumLanes } from '../../tensor-ops/assembly/math';
import { call } from './call';
import { sources } from './sources';

/** Up to so many tokens are few. */
export const FEW: i32 = 4;

/** Steps that one sum of a product takes at most. */
const DEPTH: i32 = 256;

namespace space {
  /** Scores, then weights, of a target. */
  export let weights: usize = 0;
}

export function takeFew(): void {
  space.weights = take(call.source + 4);
}

/** As `toHeads` of a map that is not turned. */
export function fewToHeads(x: usize, tokens: i32, map: usize, out: usize, headBytes: usize): void {
  const row = <usize>call.dim << 2;
  const headRow = <usize>call.headDim << 2;
  for (let t: i32 = 0; t < tokens; t++) {
    for (let h: i32 = 0; h < call.heads; h++) {
      const own = map + row * call.headDim * h;
      const to = out + headBytes * h + headRow * t;
      for (let i: i32 = 0; i < call.dim; i += DEPTH) {
        const from = x + row * t + (<usize>i << 2);
        multiplyRow(from, 4, own + headRow * i, headRow, call.headDim, min(call.dim - i, DEPTH), to, i > 0);
      }
    }
  }
}

/** As `toTokens`. */
export function fewToTokens(y: usize, headBytes: usize, tokens: i32, map: usize, turned: bool, out: usize): void {
  const row = <usize>call.dim << 2;
  const headRow = <usize>call.headDim << 2;
  for (let t: i32 = 0; t < tokens; t++) {
    for (let h: i32 = 0; h < call.heads; h++) {
      const own = map + row * call.headDim * h;
      const from = y + headBytes * h + headRow * t;
      const to = out + row * t;
      if (turned) multiplyRow(from, 4, own, row, call.dim, call.headDim, to, h > 0);
      else dotRows(own, call.dim, from, 1, to, h > 0);
    }
  }
}

/** `out[j] = (out[j] +) scale <x_j, y>` for `rows` rows of `headDim` numbers. */
function dotRows(x: usize, rows: i32, y: usize, scale: f32, out: usize, accumulate: bool): void {
  const row = <usize>call.headDim << 2;
  for (let j: i32 = 0; j < rows; j += 4, x += row << 2, out += 16) {
    const count = min(4, rows - j);
    // Rows past the last are the last once more.
    const x1 = x + row * min(1, count - 1), x2 = x + row * min(2, count - 1), x3 = x + row * min(3, count - 1);
    let s0 = splat(0.0), s1 = splat(0.0), s2 = splat(0.0), s3 = splat(0.0);
    let c: i32 = 0;
    for (; c + 4 <= call.headDim; c += 4) {
      const at = <usize>c << 2;
      const own = v128.load(y + at);
      s0 = madd(v128.load(x + at), own, s0);
      s1 = madd(v128.load(x1 + at), own, s1);
      s2 = madd(v128.load(x2 + at), own, s2);
      s3 = madd(v128.load(x3 + at), own, s3);
    }
    if (c < call.headDim) {
      const at = <usize>c << 2;
      const rest = call.headDim - c;
      const own = loadLanes(y + at, rest);
      s0 = madd(loadLanes(x + at, rest), own, s0);
      s1 = madd(loadLanes(x1 + at, rest), own, s1);
      s2 = madd(loadLanes(x2 + at, rest), own, s2);
      s3 = madd(loadLanes(x3 + at, rest), own, s3);
    }
    const low01 = v128.shuffle<f32>(s0, s1, 0, 4, 1, 5), high01 = v128.shuffle<f32>(s0, s1, 2, 6, 3, 7);
    const low23 = v128.shuffle<f32>(s2, s3, 0, 4, 1, 5), high23 = v128.shuffle<f32>(s2, s3, 2, 6, 3, 7);
    const sum01 = f32x4.add(low01, high01), sum23 = f32x4.add(low23, high23);
    const sums = f32x4.add(v128.shuffle<i64>(sum01, sum23, 0, 2), v128.shuffle<i64>(sum01, sum23, 1, 3));
    const product = f32x4.mul(sums, splat(scale));
    storeLanes(out, accumulate ? f32x4.add(product, loadLanes(out, count)) : product, count);
  }
}

/** Attention of the targets of a head, without normalised queries and keys. `mixed` gets a row per target. */
export function attendFew(projected: usize, mixed: usize): void {
  const row = <usize>call.headDim << 2;
  for (let t: i32 = 0; t < call.target; t++) {
    const own = call.past + t;
    const seen = call.causal ? own + 1 : call.source;
    dotRows(projected, seen, projected + row * own, call.scale, space.weights, false);
    const sum = weigh(seen, own);
    mix(projected, seen, sum == 0 ? 0 : 1 / sum, mixed + row * t);
  }
}

/** Turns scores into exponentials relative to the largest; their sum. */
function weigh(seen: i32, own: i32): f32 {
  let most = splat(FLOOR);
  for (let j: i32 = 0; j < seen; j += 4) {
    const at = <usize>j << 2;
    const place = i32x4.add(i32x4.splat(j), i32x4(0, 1, 2, 3));
    let exists = v128.and(v128.load(sources.exists + at), i32x4.lt_s(place, i32x4.splat(seen)));
    if (call.maskSelf) exists = v128.and(exists, i32x4.ne(place, i32x4.splat(own)));
    const score = v128.bitselect(v128.load(space.weights + at), splat(NONE), exists);
    v128.store(space.weights + at, score);
    // A NaN is dropped here, and makes the exponential NaN.
    most = maximum(most, score);
  }
  most = maximum(most, v128.shuffle<i64>(most, most, 1, 0));
  most = maximum(most, v128.shuffle<f32>(most, most, 1, 0, 3, 2));
  let total = splat(0.0);
  for (let begin: i32 = 0; begin < seen; begin += DEPTH) {
    let sum = splat(0.0);
    for (let j = begin; j < min(begin + DEPTH, seen); j += 4) {
      const at = space.weights + (<usize>j << 2);
      const e = expNegative(f32x4.sub(v128.load(at), most));
      v128.store(at, e);
      sum = f32x4.add(sum, e);
    }
    total = f32x4.add(total, sum);
  }
  return sumLanes(total);
}

/** Adds up rows by their weights, in spans. What a weight of 0 stands before may be NaN. */
function mix(rows: usize, seen: i32, inverse: f32, out: usize): void {
  const row = <usize>call.headDim << 2;
  memory.fill(out, 0, row);
  for (let begin: i32 = 0; begin < seen; begin += DEPTH) {
    mixSpan(rows + row * begin, space.weights + (<usize>begin << 2), min(DEPTH, seen - begin), out);
  }
  scaleFloats(out, call.headDim, inverse);
}

function mixSpan(rows: usize, weights: usize, span: i32, out: usize): void {
  const row = <usize>call.headDim << 2;
  for (let c: i32 = 0; c < call.headDim; c += 16) {
    const count = call.headDim - c;
    let s0 = splat(0.0), s1 = splat(0.0), s2 = splat(0.0), s3 = splat(0.0);
    let x = rows + (<usize>c << 2);
    for (let j: i32 = 0; j < span; j++, x += row) {
      const weight = load<f32>(weights + (<usize>j << 2));
      if (weight == 0) continue;
      const w = splat(weight);
      if (count >= 16) {
        s0 = madd(w, v128.load(x), s0);
        s1 = madd(w, v128.load(x, 16), s1);
        s2 = madd(w, v128.load(x, 32), s2);
        s3 = madd(w, v128.load(x, 48), s3);
      } else {
        s0 = madd(w, loadLanes(x, count), s0);
        if (count > 4) s1 = madd(w, loadLanes(x + 16, count - 4), s1);
        if (count > 8) s2 = madd(w, loadLanes(x + 32, count - 8), s2);
        if (count > 12) s3 = madd(w, loadLanes(x + 48, count - 12), s3);
      }
    }
    const to = out + (<usize>c << 2);
    addLanes(to, s0, count);
    if (count > 4) addLanes(to + 16, s1, count - 4);
    if (count > 8) addLanes(to + 32, s2, count - 8);
    if (count > 12) addLanes(to + 48, s3, count - 12);
  }
}

// @ts-ignore: decorator
@inline
function addLanes(to: usize, x: v128, count: i32): void {
  storeLanes(to, f32x4.add(loadLanes(to, count), x), count);
}
