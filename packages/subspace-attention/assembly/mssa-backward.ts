// The gradient of attention of one head over its projected tokens, tile by tile: weights are made again, and what projected tokens receive as queries, keys and
// values goes into one sum. A tile that serves both tokens of its pairs takes seven products, where two tiles would take ten.
import { allFinite, roundUp, take } from '../../tensor-ops/assembly/attention-head';
import { packLeft, packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels, TILE_SIZE } from '../../tensor-ops/assembly/gemm-tile';
import { expNegative, loadLanes, madd, splat, storeLanes } from '../../tensor-ops/assembly/math';
import { call } from './call';
import { normalizeRowsBackward } from './normalize-rows';
import { hide, hidesSome, openHead, sources, takeSources } from './sources';
import { addAcross, addAlong, COLUMNS, ROWS, TILE_ROW } from './tile-products';

namespace space {
  /** Scores, then weights of the rows as targets. */
  export let weights: usize = 0;
  /** Gradients of weights, then of the products of queries and keys. */
  export let dScores: usize = 0;
  /** The same of the columns as targets: gradients of weights, then weights. */
  export let others: usize = 0;
  /** Values as right factors, panels of eight sources, and as left factors, panels of four. */
  export let values: usize = 0;
  export let valuesLeft: usize = 0;
  /** Queries and keys as right factors, panels of eight channels. */
  export let matches: usize = 0;
  /** What arrives at targets, over the denominator: as rows, and as factors of all three kinds. */
  export let received: usize = 0;
  export let receivedLeft: usize = 0;
  export let receivedRight: usize = 0;
  export let receivedChannels: usize = 0;
  /** Per target the product of that with its output. */
  export let products: usize = 0;
  export let output: usize = 0;
  /** What queries and keys, and values, receive; one sum where they are the same. */
  export let dMatch: usize = 0;
  export let dValue: usize = 0;
  export let spill: usize = 0;
}

export function takeBackward(): void {
  takeSources();
  const targets = <usize>roundUp(call.target, ROWS);
  const wide = <usize>roundUp(call.source, 8);
  const channels = <usize>call.channels;
  const rows = wide + ROWS;
  space.spill = take(TILE_SIZE);
  space.weights = take(ROWS * COLUMNS);
  space.dScores = take(ROWS * COLUMNS);
  space.others = take(ROWS * COLUMNS);
  space.values = call.gain ? take(wide * call.headDim) : sources.keys;
  space.valuesLeft = take(wide * call.headDim);
  space.matches = take(channels * call.source);
  space.received = take(<usize>call.target * call.headDim);
  space.receivedLeft = take(targets * call.headDim);
  space.receivedRight = take(targets * call.headDim);
  space.receivedChannels = take(channels * call.target);
  space.products = take(targets + COLUMNS);
  space.output = take(<usize>ROWS * call.headDim);
  space.dMatch = take(rows * channels);
  space.dValue = call.gain ? take(rows * channels) : space.dMatch;
}

/**
 * Adds to `dProjected` what the rows of all sources receive. `mixed`, `largest` and `denominator` are those of the forward, `dMixed` is what arrives.
 *
 * @param dGain - where the gain's gradient is added, as float64; not read where there is none.
 */
export function differentiateHead(
  projected: usize, mixed: usize, largest: usize, denominator: usize, dMixed: usize, dProjected: usize, dGain: usize,
): void {
  openHead(projected);
  openReceived(mixed, denominator, dMixed);
  const row = <usize>call.headDim << 2;
  const sumRow = <usize>call.channels << 2;
  packRight(sources.match, row, false, call.headDim, call.source, space.matches);
  if (call.gain) packRight(sources.value, row, true, call.source, call.headDim, space.values);
  if (sources.isUniform) packLeft(sources.value, row, false, call.source, call.headDim, space.valuesLeft);
  memory.fill(space.dMatch, 0, sumRow * (roundUp(call.source, 8) + ROWS));
  if (call.gain) memory.fill(space.dValue, 0, sumRow * (roundUp(call.source, 8) + ROWS));
  for (let t: i32 = 0; t < call.target; t += ROWS) {
    const count = min(ROWS, call.target - t);
    const first = sources.isUniform ? t : 0;
    const end = call.causal ? call.past + t + count : call.source;
    for (let s = first; s < end; s += COLUMNS) {
      const width = min(COLUMNS, call.source - s);
      if (sources.isUniform && s >= t + ROWS) differentiateBoth(t, count, s, width);
      else differentiateOne(t, count, s, width, largest);
    }
  }
  for (let j: i32 = 0; j < call.source; j++) {
    for (let c: i32 = 0; c < call.headDim; c += 4) {
      const at = <usize>c << 2;
      const to = dProjected + row * j + at;
      const sum = f32x4.add(v128.load(space.dValue + sumRow * j + at), loadLanes(to, call.headDim - c));
      storeLanes(to, sum, call.headDim - c);
    }
  }
  if (call.gain) {
    normalizeRowsBackward(sources.value, space.dMatch, call.source, call.headDim, sumRow, call.gain, dProjected, row, dGain);
  }
}

/** What arrives at the targets, over their denominators, and its products with their outputs. */
function openReceived(mixed: usize, denominator: usize, dMixed: usize): void {
  const row = <usize>call.headDim << 2;
  for (let t: i32 = 0; t < call.target; t++) {
    const sum = load<f32>(denominator + (<usize>t << 2));
    const inverse: f32 = sum == 0 ? 0 : 1 / sum;
    const to = space.received + row * t;
    if (sum == 0) memory.fill(to, 0, row);
    else for (let at: usize = 0; at < row; at += 4) store<f32>(to + at, load<f32>(dMixed + row * t + at) * inverse);
  }
  packLeft(space.received, row, false, call.target, call.headDim, space.receivedLeft);
  // In the order in which products over channels add: where one source has all the weight, the two are equal to the bit.
  for (let t: i32 = 0; t < call.target; t += ROWS) {
    const count = min(ROWS, call.target - t);
    packLeft(mixed + row * t, row, false, count, call.headDim, space.output);
    const panel = row << 2;
    for (let i: i32 = 0; i < count; i += 4) {
      const output = space.output + row * i;
      const left = space.receivedLeft + row * (t + i);
      let sum = splat(0.0);
      for (let c: usize = 0; c < panel; c += 16) sum = madd(v128.load(left + c), v128.load(output + c), sum);
      v128.store(space.products + (<usize>(t + i) << 2), sum);
    }
  }
  if (!allFinite(space.received, <usize>call.target * call.headDim)) {
    // Rows that are lost count as 0 in products, and come back through their own product, which is NaN.
    for (let t: i32 = 0; t < call.target; t++) {
      if (allFinite(space.received + row * t, call.headDim)) continue;
      memory.fill(space.received + row * t, 0, row);
      store<i32>(space.products + (<usize>t << 2), 0x7fc00000);
    }
    packLeft(space.received, row, false, call.target, call.headDim, space.receivedLeft);
  }
  if (sources.isUniform) packRight(space.received, row, true, call.target, call.headDim, space.receivedRight);
  packRight(space.received, row, false, call.headDim, call.target, space.receivedChannels);
}

/** A tile of which the rows alone are targets. */
function differentiateOne(t: i32, count: i32, s: i32, width: i32, largest: usize): void {
  const rows = roundUp(count, 4);
  const row = <usize>call.headDim << 2;
  const sumRow = <usize>call.channels << 2;
  const columns = roundUp(width, 8);
  multiplyPanels(sources.queries + row * t, sources.keys + row * s, rows, columns, call.headDim, space.weights, TILE_ROW, false, space.spill);
  multiplyPanels(space.receivedLeft + row * t, space.values + row * s, rows, columns, call.headDim, space.dScores, TILE_ROW, false, space.spill);
  if (hidesSome(t, s)) hide(space.weights, t, rows, s);
  const scale = splat(call.scale);
  const zero = splat(0.0);
  for (let j: i32 = 0; j < columns; j += 8) {
    let at = space.weights + (<usize>j << 2);
    let to = space.dScores + (<usize>j << 2);
    for (let i: i32 = 0; i < count; i++, at += TILE_ROW, to += TILE_ROW) {
      const place = <usize>(t + i) << 2;
      const measure = v128.load32_splat(largest + place);
      const product = v128.load32_splat(space.products + place);
      const e0 = expNegative(f32x4.sub(v128.load(at), measure));
      const e1 = expNegative(f32x4.sub(v128.load(at, 16), measure));
      v128.store(at, e0);
      v128.store(at, e1, 16);
      const d0 = f32x4.mul(f32x4.mul(e0, scale), f32x4.sub(v128.load(to), product));
      const d1 = f32x4.mul(f32x4.mul(e1, scale), f32x4.sub(v128.load(to, 16), product));
      v128.store(to, v128.and(d0, f32x4.ne(e0, zero)));
      v128.store(to, v128.and(d1, f32x4.ne(e1, zero)), 16);
    }
  }
  giveColumns(t, count, s, width);
  addAlong(
    space.dMatch + sumRow * (call.past + t), sumRow, rows, call.channels, width,
    space.dScores, space.matches + (<usize>s << 5), <usize>call.source << 5, 0, 0, 0,
  );
}

/** What the columns of a tile receive from its rows as targets: by their weights, and as keys. */
function giveColumns(t: i32, count: i32, s: i32, width: i32): void {
  const sumRow = <usize>call.channels << 2;
  const rows = roundUp(width, 4);
  const received = space.receivedChannels + (<usize>t << 5), ofReceived = <usize>call.target << 5;
  const matches = space.matches + (<usize>(call.past + t) << 5), ofMatches = <usize>call.source << 5;
  const dValue = space.dValue + sumRow * s;
  if (!call.gain) {
    addAcross(dValue, sumRow, rows, call.channels, count, space.weights, received, ofReceived, space.dScores, matches, ofMatches);
    return;
  }
  addAcross(dValue, sumRow, rows, call.channels, count, space.weights, received, ofReceived, 0, 0, 0);
  addAcross(space.dMatch + sumRow * s, sumRow, rows, call.channels, count, space.dScores, matches, ofMatches, 0, 0, 0);
}

/** A tile in which the columns are targets of the rows too. Here targets are all the sources. */
function differentiateBoth(t: i32, count: i32, s: i32, width: i32): void {
  const rows = roundUp(count, 4);
  const row = <usize>call.headDim << 2;
  const sumRow = <usize>call.channels << 2;
  const columns = roundUp(width, 8);
  const depth = call.headDim;
  multiplyPanels(sources.queries + row * t, sources.keys + row * s, rows, columns, depth, space.weights, TILE_ROW, false, space.spill);
  multiplyPanels(space.receivedLeft + row * t, space.values + row * s, rows, columns, depth, space.dScores, TILE_ROW, false, space.spill);
  multiplyPanels(space.valuesLeft + row * t, space.receivedRight + row * s, rows, columns, depth, space.others, TILE_ROW, false, space.spill);
  const reference = splat(sources.reference);
  const scale = splat(call.scale);
  for (let j: i32 = 0; j < columns; j += 8) {
    const first = <usize>j << 2;
    const place = (<usize>s << 2) + first;
    const exists0 = v128.load(sources.exists + place), exists1 = v128.load(sources.exists + place, 16);
    const product0 = v128.load(space.products + place), product1 = v128.load(space.products + place, 16);
    let own = <usize>t << 2;
    for (let at = first; at < first + TILE_ROW * count; at += TILE_ROW, own += 4) {
      const exists = v128.load32_splat(sources.exists + own);
      const product = v128.load32_splat(space.products + own);
      const e0 = expNegative(f32x4.sub(v128.load(space.weights + at), reference));
      const e1 = expNegative(f32x4.sub(v128.load(space.weights + at, 16), reference));
      const a0 = v128.and(e0, exists0), a1 = v128.and(e1, exists1);
      const b0 = v128.and(e0, exists), b1 = v128.and(e1, exists);
      const d0 = f32x4.mul(a0, f32x4.sub(v128.load(space.dScores + at), product));
      const d1 = f32x4.mul(a1, f32x4.sub(v128.load(space.dScores + at, 16), product));
      const o0 = f32x4.mul(b0, f32x4.sub(v128.load(space.others + at), product0));
      const o1 = f32x4.mul(b1, f32x4.sub(v128.load(space.others + at, 16), product1));
      v128.store(space.weights + at, a0);
      v128.store(space.weights + at, a1, 16);
      v128.store(space.others + at, b0);
      v128.store(space.others + at, b1, 16);
      v128.store(space.dScores + at, f32x4.mul(scale, f32x4.add(d0, o0)));
      v128.store(space.dScores + at, f32x4.mul(scale, f32x4.add(d1, o1)), 16);
    }
  }
  giveColumns(t, count, s, width);
  const received = space.receivedChannels + (<usize>s << 5), ofReceived = <usize>call.target << 5;
  const matches = space.matches + (<usize>s << 5), ofMatches = <usize>call.source << 5;
  const dValue = space.dValue + sumRow * t;
  if (!call.gain) {
    addAlong(dValue, sumRow, rows, call.channels, width, space.others, received, ofReceived, space.dScores, matches, ofMatches);
    return;
  }
  addAlong(dValue, sumRow, rows, call.channels, width, space.others, received, ofReceived, 0, 0, 0);
  addAlong(space.dMatch + sumRow * t, sumRow, rows, call.channels, width, space.dScores, matches, ofMatches, 0, 0, 0);
}
