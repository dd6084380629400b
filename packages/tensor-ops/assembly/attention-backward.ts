// The gradient of softmax attention of one head: per pair of a stripe of targets and a block of sources the weights are made again, and five products
// give what queries, keys and values receive. Weights are e^(score - largest), at most 1; 1 / denominator goes into the gradient that arrives.
import {
  allFinite, blockSize, head, NONE, PANEL, PANEL_ROW, roundUp, seenBy, take,
} from './attention-head';
import { addSelected, scaleFloats, storeColumns, turnPanel } from './attention-panels';
import { packLeft, packRight } from './gemm-pack';
import { multiplyPanels, TILE_SIZE } from './gemm-tile';
import { expNegative, loadLanes, madd, splat, storeLanes } from './math';
import { randomBits } from './random-bits';

/** Targets of a stripe: the depth of what keys and values receive. */
const STRIPE: i32 = 64;

namespace space {
  /** Keys and values as right factors: panels of eight sources. */
  export let keys: usize = 0;
  export let values: usize = 0;
  /** Keys, transposed, as left factors: block by block, panels of four channels. */
  export let keysAcross: usize = 0;
  /** What keys and values receive, `[source / 8, channels, 8]`. */
  export let dKeys: usize = 0;
  export let dValues: usize = 0;
  /** Scaled queries of a stripe: as rows, and as left factors of both kinds. */
  export let queries: usize = 0;
  export let queriesAlong: usize = 0;
  export let queriesAcross: usize = 0;
  /** The gradient that arrives, over the denominator, likewise. */
  export let received: usize = 0;
  export let receivedAlong: usize = 0;
  export let receivedAcross: usize = 0;
  /** Per target of the stripe: the product of what arrives with the output. */
  export let products: usize = 0;
  /** Weights, and gradients of scores, of a stripe and eight sources, `[STRIPE, 8]`. */
  export let weights: usize = 0;
  export let dScores: usize = 0;
  /** Gradients of scores of a stripe and a block of sources, turned: `[STRIPE / 8, block, 8]`. */
  export let turned: usize = 0;
  /** What the queries of the stripe receive, `[STRIPE / 8, channels, 8]`. */
  export let dQueries: usize = 0;
  export let spill: usize = 0;
}

/** Takes the working memory of `attendBackward`. */
export function takeBackward(): void {
  const wide = <usize>roundUp(head.source, PANEL);
  const channels = <usize>roundUp(head.dim, 4);
  const valueChannels = <usize>roundUp(head.valueDim, 4);
  space.spill = take(TILE_SIZE);
  space.keys = take(wide * head.dim);
  space.values = take(wide * head.valueDim);
  space.keysAcross = take(channels * head.source);
  space.dKeys = take(wide * channels);
  space.dValues = take(wide * valueChannels);
  space.queries = take(channels * STRIPE);
  space.queriesAlong = take(channels * STRIPE);
  space.queriesAcross = take(channels * STRIPE);
  space.received = take(valueChannels * STRIPE);
  space.receivedAlong = take(valueChannels * STRIPE);
  space.receivedAcross = take(valueChannels * STRIPE);
  space.products = take(STRIPE);
  space.weights = take(STRIPE * PANEL);
  space.dScores = take(STRIPE * PANEL);
  space.turned = take(<usize>STRIPE * blockSize());
  space.dQueries = take(channels * STRIPE);
}

/** Packs the keys and values of `head`, and clears what they receive. Several query heads may follow. */
export function openSources(): void {
  const keyRow = <usize>head.dim << 2;
  const valueRow = <usize>head.valueDim << 2;
  packRight(head.key, keyRow, true, head.source, head.dim, space.keys);
  packRight(head.value, valueRow, true, head.source, head.valueDim, space.values);
  const block = blockSize();
  const channels = roundUp(head.dim, 4);
  for (let first: i32 = 0; first < head.source; first += block) {
    const depth = min(block, head.source - first);
    packLeft(head.key + keyRow * first, keyRow, true, head.dim, depth, space.keysAcross + ((<usize>channels * first) << 2));
  }
  const panels = <usize>roundUp(head.source, PANEL) >> 3;
  memory.fill(space.dKeys, 0, panels * channels * PANEL_ROW);
  memory.fill(space.dValues, 0, panels * roundUp(head.valueDim, 4) * PANEL_ROW);
}

/** Stores what the keys and values have received. */
export function closeSources(dKey: usize, dValue: usize): void {
  const keyRow = <usize>head.dim << 2;
  const valueRow = <usize>head.valueDim << 2;
  for (let first: i32 = 0; first < head.source; first += PANEL) {
    const count = min(PANEL, head.source - first);
    storeColumns(space.dKeys + ((<usize>roundUp(head.dim, 4) * first) << 2), count, head.dim, dKey + keyRow * first, keyRow);
    storeColumns(
      space.dValues + ((<usize>roundUp(head.valueDim, 4) * first) << 2), count, head.valueDim, dValue + valueRow * first, valueRow,
    );
  }
}

/**
 * The gradient of one query head over the opened sources. `output`, `largest` and `denominator` are those of the forward.
 *
 * @param dBias - where what the bias of this head receives is added, rows `head.biasRow` apart; 0 for none.
 */
export function attendBackward(output: usize, largest: usize, denominator: usize, dOutput: usize, dQuery: usize, dBias: usize): void {
  head.finite = allFinite(head.key, <usize>head.source * head.dim) && allFinite(head.value, <usize>head.source * head.valueDim) &&
    allFinite(head.query, <usize>head.target * head.dim) && allFinite(dOutput, <usize>head.target * head.valueDim);
  const block = blockSize();
  const row = <usize>head.dim << 2;
  const channels = roundUp(head.dim, 4);
  for (let begin: i32 = 0; begin < head.target; begin += STRIPE) {
    const count = min(STRIPE, head.target - begin);
    openTargets(begin, count, output, denominator, dOutput);
    memory.fill(space.dQueries, 0, (<usize>channels * STRIPE) << 2);
    const seen = seenBy(begin + count);
    for (let first: i32 = 0; first < seen; first += block) {
      const depth = min(block, head.source - first);
      for (let j: i32 = 0; j < depth && first + j < seen; j += PANEL) differentiatePanel(begin, count, first + j, j, largest, dBias);
      addToQueries(begin, count, first, depth);
    }
    for (let p: i32 = 0; p < count; p += PANEL) {
      const sums = space.dQueries + ((<usize>channels * p) << 2);
      scaleFloats(sums, <usize>channels * PANEL, head.scale);
      storeColumns(sums, min(PANEL, count - p), head.dim, dQuery + row * (begin + p), row);
    }
  }
}

/** Prepares a stripe: queries and what arrives, packed both ways, and their products with the output. */
function openTargets(begin: i32, count: i32, output: usize, denominator: usize, dOutput: usize): void {
  const row = <usize>head.dim << 2;
  const valueRow = <usize>head.valueDim << 2;
  memory.copy(space.queries, head.query + row * begin, row * count);
  scaleFloats(space.queries, <usize>count * head.dim, head.scale);
  packLeft(space.queries, row, false, count, head.dim, space.queriesAlong);
  packLeft(space.queries, row, true, head.dim, count, space.queriesAcross);
  for (let i: i32 = 0; i < count; i++) {
    const sum = load<f32>(denominator + (<usize>(begin + i) << 2));
    const from = dOutput + valueRow * (begin + i);
    const to = space.received + valueRow * i;
    const inverse: f32 = 1 / sum;
    for (let c: i32 = 0; c < head.valueDim; c += 4) {
      const at = <usize>c << 2;
      const x = f32x4.mul(loadLanes(from + at, head.valueDim - c), splat(inverse));
      storeLanes(to + at, sum == 0 ? splat(0.0) : x, head.valueDim - c);
    }
  }
  // In the order in which the products over channels add: where one source has all the weight, the two are equal to the bit.
  packLeft(space.received, valueRow, false, count, head.valueDim, space.receivedAlong);
  packLeft(output + valueRow * begin, valueRow, false, count, head.valueDim, space.receivedAcross);
  const panel = <usize>head.valueDim << 4;
  for (let i: i32 = 0; i < count; i += 4) {
    let sum = splat(0.0);
    const at = panel * (i >> 2);
    for (let c: usize = 0; c < panel; c += 16) {
      sum = madd(v128.load(space.receivedAlong + at + c), v128.load(space.receivedAcross + at + c), sum);
    }
    v128.store(space.products + (<usize>i << 2), sum);
  }
  if (head.threshold > 0) {
    scaleFloats(space.received, <usize>count * head.valueDim, head.keep);
    packLeft(space.received, valueRow, false, count, head.valueDim, space.receivedAlong);
  }
  packLeft(space.received, valueRow, true, head.valueDim, count, space.receivedAcross);
}

/** What a stripe of targets gives to eight sources from `source` on, which are number `j` of their block. */
function differentiatePanel(begin: i32, count: i32, source: i32, j: i32, largest: usize, dBias: usize): void {
  // The first targets of a causal stripe may not see these sources.
  const skip = head.causal ? max(0, source - (head.source - head.target) - begin) & -PANEL : 0;
  const rows = count - skip;
  const weights = space.weights + PANEL_ROW * skip;
  const dScores = space.dScores + PANEL_ROW * skip;
  const along = <usize>skip << 2;
  multiplyPanels(
    space.queriesAlong + along * head.dim, space.keys + ((<usize>source * head.dim) << 2), rows, PANEL, head.dim,
    weights, PANEL_ROW, false, space.spill,
  );
  multiplyPanels(
    space.receivedAlong + along * head.valueDim, space.values + ((<usize>source * head.valueDim) << 2), rows, PANEL, head.valueDim,
    dScores, PANEL_ROW, false, space.spill,
  );
  const width = min(PANEL, head.source - source);
  if (head.bias || head.mask) adjustScores(begin + skip, rows, source, width, weights);
  if (head.causal && source + width > seenBy(begin + skip + 1)) hideLater(begin + skip, rows, source, weights);
  if (head.threshold > 0) drop(begin + skip, rows, source, dScores);
  differentiateScores(rows, weights, dScores, largest + (<usize>(begin + skip) << 2), space.products + along);
  if (head.threshold > 0) drop(begin + skip, rows, source, weights);
  if (dBias) addToBias(rows, width, dScores, dBias + head.biasRow * (begin + skip) + (<usize>source << 2));
  const valueChannels = roundUp(head.valueDim, 4);
  const channels = roundUp(head.dim, 4);
  const dValues = space.dValues + ((<usize>valueChannels * source) << 2);
  const dKeys = space.dKeys + ((<usize>channels * source) << 2);
  if (head.finite) {
    addTargets(space.receivedAcross, count, skip, weights, valueChannels, dValues);
    addTargets(space.queriesAcross, count, skip, dScores, channels, dKeys);
  } else {
    const row = <usize>head.dim << 2;
    const valueRow = <usize>head.valueDim << 2;
    addSelected(space.received + valueRow * skip, valueRow, weights, rows, head.valueDim, dValues);
    addSelected(space.queries + row * skip, row, dScores, rows, head.dim, dKeys);
  }
  const panel = (<usize>blockSize() * PANEL) << 2;
  for (let p: i32 = skip; p < count; p += PANEL) {
    turnPanel(space.dScores + PANEL_ROW * p, min(PANEL, count - p), space.turned + panel * (p >> 3) + PANEL_ROW * j);
  }
}

/** Adds the bias to scores and hides what the mask does; rows are targets. */
function adjustScores(target: i32, rows: i32, source: i32, width: i32, scores: usize): void {
  const at = <usize>source << 2;
  for (let i: i32 = 0; i < rows; i++, scores += PANEL_ROW) {
    let s0 = v128.load(scores), s1 = v128.load(scores, 16);
    if (head.bias) {
      const bias = head.bias + head.biasRow * (target + i) + at;
      s0 = f32x4.add(s0, loadLanes(bias, width));
      if (width > 4) s1 = f32x4.add(s1, loadLanes(bias + 16, width - 4));
    }
    if (head.mask) {
      const mask = head.mask + head.maskRow * (target + i) + at;
      s0 = v128.bitselect(s0, splat(NONE), f32x4.ne(loadLanes(mask, width), splat(0.0)));
      if (width > 4) s1 = v128.bitselect(s1, splat(NONE), f32x4.ne(loadLanes(mask + 16, width - 4), splat(0.0)));
    }
    v128.store(scores, s0);
    v128.store(scores, s1, 16);
  }
}

/** Hides from each target the sources that come after it. */
function hideLater(target: i32, rows: i32, source: i32, scores: usize): void {
  const place0 = i32x4(0, 1, 2, 3);
  const place1 = i32x4(4, 5, 6, 7);
  for (let i: i32 = 0; i < rows; i++, scores += PANEL_ROW) {
    const last = i32x4.splat(target + i + head.source - head.target - source);
    v128.store(scores, v128.bitselect(v128.load(scores), splat(NONE), i32x4.le_s(place0, last)));
    v128.store(scores, v128.bitselect(v128.load(scores, 16), splat(NONE), i32x4.le_s(place1, last)), 16);
  }
}

/** Turns scores into weights, and the gradients of weights into those of scores; where the weight is 0, so is the gradient. */
function differentiateScores(rows: i32, weights: usize, dScores: usize, largest: usize, products: usize): void {
  const zero = splat(0.0);
  const end = weights + PANEL_ROW * rows;
  for (; weights < end; weights += PANEL_ROW, dScores += PANEL_ROW, largest += 4, products += 4) {
    const most = v128.load32_splat(largest);
    const product = v128.load32_splat(products);
    const e0 = expNegative(f32x4.sub(v128.load(weights), most));
    const e1 = expNegative(f32x4.sub(v128.load(weights, 16), most));
    v128.store(weights, e0);
    v128.store(weights, e1, 16);
    const d0 = f32x4.mul(e0, f32x4.sub(v128.load(dScores), product));
    const d1 = f32x4.mul(e1, f32x4.sub(v128.load(dScores, 16), product));
    v128.store(dScores, v128.and(d0, f32x4.ne(e0, zero)));
    v128.store(dScores, v128.and(d1, f32x4.ne(e1, zero)), 16);
  }
}

/** Sets what belongs to weights that are dropped to 0. */
function drop(target: i32, rows: i32, source: i32, x: usize): void {
  const least = i32x4.splat(head.threshold);
  let place0 = i32x4.add(i32x4.splat(head.place + target * head.source + source), i32x4(0, 1, 2, 3));
  for (let i: i32 = 0; i < rows; i++, x += PANEL_ROW) {
    const place1 = i32x4.add(place0, i32x4.splat(4));
    v128.store(x, v128.and(v128.load(x), i32x4.ge_s(randomBits(place0, head.first, head.second), least)));
    v128.store(x, v128.and(v128.load(x, 16), i32x4.ge_s(randomBits(place1, head.first, head.second), least)), 16);
    place0 = i32x4.add(place0, i32x4.splat(head.source));
  }
}

function addToBias(rows: i32, width: i32, dScores: usize, to: usize): void {
  for (let i: i32 = 0; i < rows; i++, dScores += PANEL_ROW, to += head.biasRow) {
    storeLanes(to, f32x4.add(loadLanes(to, width), v128.load(dScores)), width);
    if (width > 4) storeLanes(to + 16, f32x4.add(loadLanes(to + 16, width - 4), v128.load(dScores, 16)), width - 4);
  }
}

/** Adds to `out` `[channels, 8]` what the targets of a stripe of `count` give from number `skip` on. */
function addTargets(across: usize, count: i32, skip: i32, panel: usize, channels: i32, out: usize): void {
  if (skip == 0) {
    multiplyPanels(across, panel, channels, PANEL, count, out, PANEL_ROW, true, space.spill);
    return;
  }
  across += <usize>skip << 4;
  for (let c: i32 = 0; c < channels; c += 4, across += <usize>count << 4, out += PANEL_ROW * 4) {
    multiplyPanels(across, panel, 4, PANEL, count - skip, out, PANEL_ROW, true, space.spill);
  }
}

/** Adds to the gradients of a stripe's queries what the `depth` sources of the block at `first` give. */
function addToQueries(begin: i32, count: i32, first: i32, depth: i32): void {
  const row = <usize>head.dim << 2;
  const channels = roundUp(head.dim, 4);
  const panel = (<usize>blockSize() * PANEL) << 2;
  for (let p: i32 = 0; p < count; p += PANEL) {
    const some = min(depth, seenBy(begin + min(p + PANEL, count)) - first);
    if (some <= 0) continue;
    const turned = space.turned + panel * (p >> 3);
    let out = space.dQueries + ((<usize>channels * p) << 2);
    let keys = space.keysAcross + ((<usize>channels * first) << 2);
    if (!head.finite) {
      addSelected(head.key + row * first, row, turned, some, head.dim, out);
    } else if (some == depth) {
      multiplyPanels(keys, turned, channels, PANEL, depth, out, PANEL_ROW, true, space.spill);
    } else {
      for (let c: i32 = 0; c < channels; c += 4, keys += <usize>depth << 4, out += PANEL_ROW * 4) {
        multiplyPanels(keys, turned, 4, PANEL, some, out, PANEL_ROW, true, space.spill);
      }
    }
  }
}
