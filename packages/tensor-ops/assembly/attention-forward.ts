// Softmax attention of one head, block by block: scores of a block of sources, their exponentials relative to the largest score so far, and their product
// with the values, added to sums that are rescaled when the largest score grows (Milakov and Gimelshein 2018; Dao et al. 2022).
import {
  allFinite, blockSize, FLOOR, head, NONE, PANEL, PANEL_ROW, roundUp, seenBy, take,
} from './attention-head';
import { addSelected, scaleFloats, storeColumns } from './attention-panels';
import { packLeft, packRight } from './gemm-pack';
import { multiplyPanels, TILE_SIZE } from './gemm-tile';
import { expNegative, maximum, splat } from './math';
import { randomBits } from './random-bits';

/** Targets that are worked on at a time, while a block of sources stays in the cache. */
const STRIPE: i32 = 32;

namespace space {
  /** Keys as left factors: panels of four sources. */
  export let keys: usize = 0;
  /** Values, transposed, as left factors: block by block, panels of four channels. */
  export let values: usize = 0;
  /** Scaled queries as right factors: panels of eight targets. */
  export let queries: usize = 0;
  /** A panel of scores, `[block, 8]`. */
  export let scores: usize = 0;
  /** Bias or mask of the same. */
  export let side: usize = 0;
  /** Weighted sums of values, `[STRIPE / 8, channels, 8]`. */
  export let sums: usize = 0;
  /** Largest score and sum of exponentials of each target. */
  export let largest: usize = 0;
  export let denominator: usize = 0;
  export let spill: usize = 0;
}

/** Takes the working memory of `attend`. */
export function takeForward(): void {
  const channels = <usize>roundUp(head.valueDim, 4);
  space.spill = take(TILE_SIZE);
  space.keys = take(<usize>roundUp(head.source, 4) * head.dim);
  space.values = take(channels * head.source);
  space.queries = take(<usize>STRIPE * head.dim);
  space.scores = take(<usize>blockSize() * PANEL);
  space.side = take(<usize>blockSize() * PANEL);
  space.sums = take(channels * STRIPE);
  space.largest = take(STRIPE);
  space.denominator = take(STRIPE);
}

/** Packs the keys and values of `head`, which may then serve several query heads. */
export function packSources(): void {
  const keyRow = <usize>head.dim << 2;
  const valueRow = <usize>head.valueDim << 2;
  packLeft(head.key, keyRow, false, head.source, head.dim, space.keys);
  const block = blockSize();
  const channels = roundUp(head.valueDim, 4);
  for (let first: i32 = 0; first < head.source; first += block) {
    const depth = min(block, head.source - first);
    packLeft(head.value + valueRow * first, valueRow, true, head.valueDim, depth, space.values + ((<usize>channels * first) << 2));
  }
  head.finite = allFinite(head.value, <usize>head.source * head.valueDim);
}

/** Attention of all targets of `head` over the packed sources. `largest` and `denominator` `[target]` are both 0 when they are not wanted. */
export function attend(output: usize, largest: usize, denominator: usize): void {
  const block = blockSize();
  const row = <usize>head.dim << 2;
  const valueRow = <usize>head.valueDim << 2;
  const channels = roundUp(head.valueDim, 4);
  const sumBytes = <usize>channels * PANEL_ROW;
  for (let begin: i32 = 0; begin < head.target; begin += STRIPE) {
    const count = min(STRIPE, head.target - begin);
    packRight(head.query + row * begin, row, true, count, head.dim, space.queries);
    scaleFloats(space.queries, <usize>roundUp(count, PANEL) * head.dim, head.scale);
    memory.fill(space.sums, 0, sumBytes * (STRIPE / PANEL));
    for (let i: usize = 0; i < <usize>STRIPE << 2; i += 16) {
      v128.store(space.largest + i, splat(FLOOR));
      v128.store(space.denominator + i, splat(0.0));
    }
    const seen = seenBy(begin + count);
    for (let first: i32 = 0; first < seen; first += block) {
      for (let p: i32 = 0; p < count; p += PANEL) {
        const depth = min(block, seenBy(begin + min(p + PANEL, count)) - first);
        if (depth <= 0) continue;
        const sums = space.sums + sumBytes * (p >> 3);
        makeScores(begin + p, min(PANEL, count - p), p, first, depth);
        exponentials(p, depth, sums, channels);
        if (head.threshold > 0) drop(begin + p, first, depth);
        if (!head.finite) addSelected(head.value + valueRow * first, valueRow, space.scores, depth, head.valueDim, sums);
        else addValues(first, depth, min(block, head.source - first), sums, channels);
      }
    }
    for (let p: i32 = 0; p < count; p += PANEL) {
      const width = min(PANEL, count - p);
      const sums = space.sums + sumBytes * (p >> 3);
      normalize(p, sums, channels);
      storeColumns(sums, width, head.valueDim, output + valueRow * (begin + p), valueRow);
    }
    if (largest != 0) {
      memory.copy(largest + (<usize>begin << 2), space.largest, <usize>count << 2);
      memory.copy(denominator + (<usize>begin << 2), space.denominator, <usize>count << 2);
    }
  }
}

/** Scores of `width` targets from `target` on, which are columns `p` of the stripe, and `depth` sources from `first` on. */
function makeScores(target: i32, width: i32, p: i32, first: i32, depth: i32): void {
  const queries = space.queries + ((<usize>p * head.dim) << 2);
  const keys = space.keys + ((<usize>first * head.dim) << 2);
  multiplyPanels(keys, queries, depth, PANEL, head.dim, space.scores, PANEL_ROW, false, space.spill);
  const bytes = PANEL_ROW * depth;
  if (head.bias) {
    packRight(head.bias + head.biasRow * target + (<usize>first << 2), head.biasRow, true, width, depth, space.side);
    for (let at: usize = 0; at < bytes; at += 16) {
      v128.store(space.scores + at, f32x4.add(v128.load(space.scores + at), v128.load(space.side + at)));
    }
  }
  if (head.mask) {
    packRight(head.mask + head.maskRow * target + (<usize>first << 2), head.maskRow, true, width, depth, space.side);
    for (let at: usize = 0; at < bytes; at += 16) {
      const attended = f32x4.ne(v128.load(space.side + at), splat(0.0));
      v128.store(space.scores + at, v128.bitselect(v128.load(space.scores + at), splat(NONE), attended));
    }
  }
  if (head.causal && first + depth > seenBy(target + 1)) {
    // Target `target + i` sees sources up to the one at its own distance from the end.
    const last = target + head.source - head.target - first;
    const last0 = i32x4.add(i32x4.splat(last), i32x4(0, 1, 2, 3));
    const last1 = i32x4.add(last0, i32x4.splat(4));
    for (let k: i32 = 0, at = space.scores; k < depth; k++, at += PANEL_ROW) {
      v128.store(at, v128.bitselect(v128.load(at), splat(NONE), i32x4.ge_s(last0, i32x4.splat(k))));
      v128.store(at, v128.bitselect(v128.load(at, 16), splat(NONE), i32x4.ge_s(last1, i32x4.splat(k))), 16);
    }
  }
}

/** Turns scores into exponentials relative to the largest so far, and moves the sums on to it. */
function exponentials(p: i32, depth: i32, sums: usize, channels: i32): void {
  const largest = space.largest + (<usize>p << 2);
  const denominator = space.denominator + (<usize>p << 2);
  const old0 = v128.load(largest), old1 = v128.load(largest, 16);
  let largest0 = old0, largest1 = old1;
  const end = space.scores + PANEL_ROW * depth;
  for (let at = space.scores; at < end; at += PANEL_ROW) {
    // A NaN is dropped here, and makes the exponential NaN.
    largest0 = maximum(largest0, v128.load(at));
    largest1 = maximum(largest1, v128.load(at, 16));
  }
  let sum0 = splat(0.0), sum1 = splat(0.0);
  for (let at = space.scores; at < end; at += PANEL_ROW) {
    const e0 = expNegative(f32x4.sub(v128.load(at), largest0));
    const e1 = expNegative(f32x4.sub(v128.load(at, 16), largest1));
    sum0 = f32x4.add(sum0, e0);
    sum1 = f32x4.add(sum1, e1);
    v128.store(at, e0);
    v128.store(at, e1, 16);
  }
  if (v128.any_true(v128.or(f32x4.ne(old0, largest0), f32x4.ne(old1, largest1)))) {
    const change0 = expNegative(f32x4.sub(old0, largest0));
    const change1 = expNegative(f32x4.sub(old1, largest1));
    v128.store(largest, largest0);
    v128.store(largest, largest1, 16);
    v128.store(denominator, f32x4.mul(v128.load(denominator), change0));
    v128.store(denominator, f32x4.mul(v128.load(denominator, 16), change1), 16);
    for (let c: i32 = 0; c < channels; c++, sums += PANEL_ROW) {
      v128.store(sums, f32x4.mul(v128.load(sums), change0));
      v128.store(sums, f32x4.mul(v128.load(sums, 16), change1), 16);
    }
  }
  v128.store(denominator, f32x4.add(v128.load(denominator), sum0));
  v128.store(denominator, f32x4.add(v128.load(denominator, 16), sum1), 16);
}

/** Sets the weights that are dropped to 0. */
function drop(target: i32, first: i32, depth: i32): void {
  const row = i32x4.splat(head.source);
  const start = head.place + target * head.source + first;
  let place0 = i32x4.add(i32x4.splat(start), i32x4.mul(row, i32x4(0, 1, 2, 3)));
  let place1 = i32x4.add(place0, i32x4.splat(head.source << 2));
  const least = i32x4.splat(head.threshold);
  for (let k: i32 = 0, at = space.scores; k < depth; k++, at += PANEL_ROW) {
    v128.store(at, v128.and(v128.load(at), i32x4.ge_s(randomBits(place0, head.first, head.second), least)));
    v128.store(at, v128.and(v128.load(at, 16), i32x4.ge_s(randomBits(place1, head.first, head.second), least)), 16);
    place0 = i32x4.add(place0, i32x4.splat(1));
    place1 = i32x4.add(place1, i32x4.splat(1));
  }
}

/** Adds the values of `depth` sources of the block at `first`, which holds `whole`. */
function addValues(first: i32, depth: i32, whole: i32, sums: usize, channels: i32): void {
  let values = space.values + ((<usize>channels * first) << 2);
  if (depth == whole) {
    multiplyPanels(values, space.scores, channels, PANEL, depth, sums, PANEL_ROW, true, space.spill);
    return;
  }
  for (let c: i32 = 0; c < channels; c += 4, values += <usize>whole << 4, sums += PANEL_ROW * 4) {
    multiplyPanels(values, space.scores, 4, PANEL, depth, sums, PANEL_ROW, true, space.spill);
  }
}

/** Divides the sums by the denominators; 0 where there is nothing to attend to. */
function normalize(p: i32, sums: usize, channels: i32): void {
  const at = space.denominator + (<usize>p << 2);
  const inverse0 = inverseOf(v128.load(at), head.keep);
  const inverse1 = inverseOf(v128.load(at, 16), head.keep);
  for (let c: i32 = 0; c < channels; c++, sums += PANEL_ROW) {
    v128.store(sums, f32x4.mul(v128.load(sums), inverse0));
    v128.store(sums, f32x4.mul(v128.load(sums, 16), inverse1), 16);
  }
}

/** `numerator / denominator`, 0 for a denominator of 0; NaN stays NaN. */
// @ts-ignore: decorator
@inline
function inverseOf(denominator: v128, numerator: f32): v128 {
  return v128.and(f32x4.div(splat(numerator), denominator), f32x4.ne(denominator, splat(0.0)));
}
