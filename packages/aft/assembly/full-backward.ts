// The gradient of AFT-full as two products per pair of a block of targets and one of sources. With r = g / denominator, what a target receives:
// over targets, weights^T [r | r O]; over channels, [r | r O] [e^key value | -e^key]^T. What a denominator cannot hold enters with r = 0 and is added
// directly.
import { packLeft, packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { exp, splat } from '../../tensor-ops/assembly/math';
import { biasRows, largestOf, makeColumns, makeRows, packFactors, packWeights, spill, takeBias } from './full-bias';
import { BLOCK, blocksOf, call, factorOf, loadChannels, PAIR, raiseFactors, ROWS, roundUp, setSizes, setTensors, storeChannels, take } from './full-call';
import { direct, spreadDirectly } from './full-direct';
import { findCentres, findReferences, largestKeys, references, referencesAfter, rescale } from './full-sources';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { expCall } from './slots';
import { exists, NONE } from './sources';

/** Panels of channels that one product over channels sums before it adds to what there is. */
const CHUNK: i32 = 32;

/** The log of the inverse of the least denominator that the products hold. */
const MOST: f32 = 46.0;

namespace space {
  /** A value in the midst of each channel's. */
  export let centres: usize = 0;
  /** What targets receive, r and r O, packed block by block as right factors of sums over targets. */
  export let received: usize = 0;
  /** The same of a few targets, as left factors of sums over channels; chunk by chunk. */
  export let receivedRows: usize = 0;
  /** e^key value and -e^key of all sources, as right factors of sums over channels; chunk by chunk. */
  export let sources: usize = 0;
  export let weights: usize = 0;
  /** `[ROWS, panels, 8]`. */
  export let sums: usize = 0;
  /** The largest bias of each target. */
  export let largest: usize = 0;
  /** `[ROWS, BLOCK]` of the gradient of the bias. */
  export let tile: usize = 0;
  /** Of factors alone: rows of the gradient of the bias; `v` and a few rows of `u` as right factors; what `u` and `v` receive. */
  export let rows: usize = 0;
  export let packedV: usize = 0;
  export let packedU: usize = 0;
  export let dU: usize = 0;
  export let dV: usize = 0;
}

function takeMemory(): void {
  const panels = <usize>call.panels;
  references.row = panels << 4;
  references.all = take((panels * (blocksOf(call.source) + 1)) << 2);
  space.centres = take(panels << 2);
  space.received = take(panels * 8 * call.target);
  space.receivedRows = take(panels * 8 * ROWS);
  space.sources = take(panels * 8 * roundUp(call.source, 8));
  space.weights = take(ROWS * BLOCK);
  space.sums = take(panels * 8 * ROWS);
  space.largest = take(call.target);
  space.tile = take(ROWS * BLOCK);
  direct.context = take(16);
  direct.logNormalizer = direct.context + 16;
  direct.largest = direct.context + 32;
  direct.denominator = direct.context + 48;
  takeBias(true);
  if (call.rank == 0) return;
  const wide = <usize>roundUp(call.rank, 8);
  space.rows = take(<usize>ROWS * call.source);
  space.packedV = take(wide * call.source);
  space.packedU = take(wide * ROWS);
  space.dU = take(wide * ROWS);
  space.dV = take(wide * roundUp(call.source, 4));
}

/** Bytes of working memory that `backward` needs. */
export function backwardBytes(batch: i32, target: i32, source: i32, dim: i32, rank: i32, causal: bool): usize {
  setSizes(batch, target, source, dim, rank, causal, 0);
  takeMemory();
  return call.free;
}

// @ts-ignore: decorator
@inline
function blockBytes(): usize {
  return <usize>call.panels * PAIR * BLOCK;
}

/** Address of the panels of the eight sources from `source` on, within a chunk whose panels begin at `panel`. */
// @ts-ignore: decorator
@inline
function chunkOfSources(panel: i32): usize {
  return space.sources + <usize>panel * roundUp(call.source, 8) * PAIR;
}

// @ts-ignore: decorator
@inline
function centred(x: v128, panel: i32): v128 {
  return f32x4.sub(x, v128.load(space.centres + (<usize>panel << 4)));
}

/** Packs e^(key - reference) value and its negated weight of every source: of each chunk, panels of eight sources. */
function packSourcesAcross(): void {
  memory.fill(space.sources, 0, <usize>call.panels * roundUp(call.source, 8) * PAIR);
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let j: i32 = 0; j < call.source; j++) {
      const row = <usize>b * call.source + j;
      if (!exists(call.mask, row)) continue;
      const reference = referencesAfter(j / BLOCK);
      for (let g: i32 = 0; g < call.groups; g++) {
        const panel = b * call.groups + g;
        const chunk = panel - panel % CHUNK;
        const width = <usize>min(CHUNK, call.panels - chunk);
        let at = chunkOfSources(chunk) + ((<usize>(j >> 3) * width + (panel - chunk)) << 8) + (<usize>(j & 7) << 2);
        const weight = factorOf(f32x4.sub(loadChannels(call.key, row, g), v128.load(reference + (<usize>panel << 4))));
        const weighed = f32x4.mul(weight, centred(loadChannels(call.value, row, g), panel));
        const negated = f32x4.neg(weight);
        v128.store_lane<f32>(at, weighed, 0);
        v128.store_lane<f32>(at, weighed, 1, 32);
        v128.store_lane<f32>(at, weighed, 2, 64);
        v128.store_lane<f32>(at, weighed, 3, 96);
        v128.store_lane<f32>(at, negated, 0, 128);
        v128.store_lane<f32>(at, negated, 1, 160);
        v128.store_lane<f32>(at, negated, 2, 192);
        v128.store_lane<f32>(at, negated, 3, 224);
      }
    }
  }
}

/** `dPositionBias` of a dense bias, `dU` and `dV` of factors; the others are 0. @returns how many elements were added directly. */
export function backward(
  query: usize, key: usize, value: usize, bias: usize, u: usize, v: usize, mask: usize,
  context: usize, logNormalizer: usize, dOutput: usize,
  dQuery: usize, dKey: usize, dValue: usize, dPositionBias: usize, dU: usize, dV: usize, scratch: usize,
  batch: i32, target: i32, source: i32, dim: i32, rank: i32, causal: bool, activation: i32,
): i32 {
  setSizes(batch, target, source, dim, rank, causal, scratch);
  setTensors(query, key, value, bias, u, v, mask, activation);
  raiseFactors(false);
  takeMemory();
  findReferences();
  packFactors(true);
  findCentres(space.centres);
  packSourcesAcross();
  const bytes = ((<usize>batch * source * dim) << 2);
  memory.fill(dKey, 0, bytes);
  memory.fill(dValue, 0, bytes);
  if (rank == 0) memory.fill(dPositionBias, 0, (<usize>target * source) << 2);
  else prepareFactors();

  let redone: i32 = 0;
  for (let begin: i32 = 0; begin < target; begin += ROWS) {
    const count = min(ROWS, target - begin);
    const seen = causal ? begin + count : source;
    makeRows(begin, count);
    for (let i: i32 = 0; i < count; i++) {
      const allowed = causal ? begin + i + 1 : source;
      store<f32>(space.largest + (<usize>(begin + i) << 2), largestOf(biasRows.at + biasRows.step * i, allowed));
    }
    const rows = rank == 0 ? dPositionBias + ((<usize>begin * source) << 2) : space.rows;
    const held = receive(begin, count, context, logNormalizer, dOutput, dQuery);
    differentiateRows(begin, count, rows);
    if (!held) redone += receiveDirectly(begin, count, context, logNormalizer, dOutput, dKey, dValue, rows);
    if (rank != 0) differentiateFactors(begin, count, seen, dU);
  }
  for (let begin: i32 = 0; begin < source; begin += ROWS) differentiateSources(begin, min(ROWS, source - begin), dKey, dValue);
  if (rank != 0) copyColumns(space.dV, dV, source);
  return redone;
}

/** References that what target `t` receives is relative to. */
// @ts-ignore: decorator
@inline
function referencesOf(t: i32): usize {
  return call.causal ? referencesAfter(t / BLOCK) : largestKeys();
}

/** Which channels the products hold, from the log of the inverse denominator. NaN fails it, no source passes it. */
// @ts-ignore: decorator
@inline
function holds(inverse: v128, logs: v128): v128 {
  return v128.or(f32x4.le(inverse, splat(MOST)), f32x4.le(logs, splat(NONE / 2)));
}

/** The log of the inverse denominator of target `t`, relative to its references. */
// @ts-ignore: decorator
@inline
function inverseOf(t: i32, panel: i32, logs: v128): v128 {
  const at = <usize>panel << 4;
  const change = f32x4.sub(v128.load(referencesOf(t) + at), v128.load(largestKeys() + at));
  return f32x4.add(f32x4.sub(change, logs), v128.load32_splat(space.largest + (<usize>t << 2)));
}

/** The gradient of the context; 0 in lanes past the last channel. */
// @ts-ignore: decorator
@inline
function receivedBy(row: usize, g: i32, dOutput: usize): v128 {
  const gradient = loadChannels(dOutput, row, g);
  if (call.activation == NO_GATE) return gradient;
  const q = loadChannels(call.query, row, g);
  return f32x4.mul(gradient, gateOf(q, gateExponential(q, call.activation), call.activation));
}

/** Packs what some targets receive, both ways, and stores the gradients of their queries. @returns whether the products hold all of it. */
function receive(begin: i32, count: i32, context: usize, logNormalizer: usize, dOutput: usize, dQuery: usize): bool {
  const block = begin / BLOCK;
  const depth = <usize>min(BLOCK, call.target - block * BLOCK);
  let all = true;
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      const t = begin + i;
      const row = <usize>b * call.target + t;
      for (let g: i32 = 0; g < call.groups; g++) {
        const panel = b * call.groups + g;
        const mixed = loadChannels(context, row, g);
        const logs = loadChannels(logNormalizer, row, g);
        let gradient = loadChannels(dOutput, row, g);
        let slope = splat(0.0);
        if (call.activation != NO_GATE) {
          const q = loadChannels(call.query, row, g);
          const exponential = gateExponential(q, call.activation);
          const gate = gateOf(q, exponential, call.activation);
          slope = f32x4.mul(f32x4.mul(gradient, mixed), gateSlope(q, exponential, gate, call.activation));
          gradient = f32x4.mul(gradient, gate);
        }
        storeChannels(dQuery, row, g, slope);
        const inverse = inverseOf(t, panel, logs);
        const within = f32x4.le(inverse, splat(MOST));
        all = all && v128.all_true<i32>(holds(inverse, logs));
        const kept = v128.and(within, f32x4.gt(logs, splat(NONE / 2)));
        const share = v128.and(f32x4.mul(gradient, exp(inverse)), kept);
        const at = space.received + blockBytes() * block + (<usize>panel * depth + (t - block * BLOCK)) * PAIR;
        v128.store(at, share);
        v128.store(at, v128.and(f32x4.mul(share, centred(mixed, panel)), kept), 16);
      }
    }
  }
  // Across: of each chunk of panels, panels of four rows. Rows that do not exist are 0.
  for (let panel: i32 = 0; panel < call.panels; panel++) {
    const chunk = panel - panel % CHUNK;
    const width = min(CHUNK, call.panels - chunk);
    const from = space.received + blockBytes() * block + (<usize>panel * depth + (begin - block * BLOCK)) * PAIR;
    for (let i: i32 = 0; i < count; i += 4) {
      const to = space.receivedRows + <usize>chunk * PAIR * ROWS + ((<usize>(i >> 2) * width + (panel - chunk)) << 7);
      packLeft(from + PAIR * i, PAIR, false, min(count - i, 4), 8, to);
    }
  }
  return all;
}

/** Sets rows of the gradient of the bias, as far as the products give it. */
function differentiateRows(begin: i32, count: i32, rows: usize): void {
  const last = call.causal ? begin / BLOCK : blocksOf(call.source) - 1;
  for (let block = last; block >= 0; block--) {
    if (call.causal && block < last) rescaleRows(count, referencesAfter(block), referencesAfter(block + 1));
    const first = block * BLOCK;
    const columns = min(BLOCK, call.source - first);
    for (let chunk: i32 = 0; chunk < call.panels; chunk += CHUNK) {
      const width = min(CHUNK, call.panels - chunk);
      multiplyPanels(
        space.receivedRows + <usize>chunk * PAIR * ROWS, chunkOfSources(chunk) + ((<usize>(first >> 3) * width) << 8), count, columns,
        width << 3, space.tile, BLOCK << 2, chunk > 0, spill(),
      );
    }
    for (let i: i32 = 0; i < count; i++) {
      const t = begin + i;
      const from = space.tile + ((<usize>i * BLOCK) << 2);
      const bias = biasRows.at + biasRows.step * i + (<usize>first << 2);
      const to = rows + ((<usize>i * call.source + first) << 2);
      const seen = call.causal ? min(columns, t + 1 - first) : columns;
      const largest = v128.load32_splat(space.largest + (<usize>t << 2));
      let j: i32 = 0;
      for (; j + 4 <= seen; j += 4) {
        const at = <usize>j << 2;
        v128.store(to + at, f32x4.mul(v128.load(from + at), factorOf(f32x4.sub(v128.load(bias + at), largest))));
      }
      for (; j < seen; j++) {
        const at = <usize>j << 2;
        const weight = expCall(f32x4.sub(v128.load32_splat(bias + at), largest));
        store<f32>(to + at, load<f32>(from + at) * f32x4.extract_lane(weight, 0));
      }
      for (; j < columns; j++) store<f32>(to + (<usize>j << 2), 0);
    }
  }
}

/** `rescale` of what was packed across. */
function rescaleRows(count: i32, from: usize, to: usize): void {
  for (let panel: i32 = 0; panel < call.panels; panel++, from += 16, to += 16) {
    const change = f32x4.sub(v128.load(from), v128.load(to));
    if (!v128.any_true(f32x4.ne(change, splat(0.0)))) continue;
    v128.store(direct.context, expCall(change));
    const chunk = panel - panel % CHUNK;
    const width = min(CHUNK, call.panels - chunk);
    for (let i: i32 = 0; i < count; i += 4) {
      const at = space.receivedRows + <usize>chunk * PAIR * ROWS + ((<usize>(i >> 2) * width + (panel - chunk)) << 7);
      for (let lane: usize = 0; lane < 8; lane++) {
        const factor = v128.load32_splat(direct.context + ((lane & 3) << 2));
        v128.store(at + (lane << 4), f32x4.mul(v128.load(at + (lane << 4)), factor));
      }
    }
  }
}

/** Adds what the products of some targets left out. @returns how many elements that were. */
function receiveDirectly(
  begin: i32, count: i32, context: usize, logNormalizer: usize, dOutput: usize, dKey: usize, dValue: usize, rows: usize,
): i32 {
  let redone: i32 = 0;
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      const row = <usize>b * call.target + begin + i;
      for (let g: i32 = 0; g < call.groups; g++) {
        const logs = loadChannels(logNormalizer, row, g);
        const held = holds(inverseOf(begin + i, b * call.groups + g, logs), logs);
        if (v128.all_true<i32>(held)) continue;
        redone += 4 - popcnt<i32>(i32x4.bitmask(held));
        const received = v128.andnot(receivedBy(row, g, dOutput), held);
        spreadDirectly(
          b, begin + i, g, biasRows.at + biasRows.step * i, received, loadChannels(context, row, g), dKey, dValue,
          rows + ((<usize>i * call.source) << 2),
        );
      }
    }
  }
  return redone;
}

/** Adds to the gradients of keys and values what the products give to some sources. */
function differentiateSources(begin: i32, count: i32, dKey: usize, dValue: usize): void {
  const own = begin / BLOCK;
  const last = blocksOf(call.target) - 1;
  const rowBytes = <usize>call.panels * PAIR;
  if (call.rank != 0) makeColumns(begin, count);
  for (let block = last; block >= (call.causal ? own : 0); block--) {
    if (call.causal && block < last) rescale(space.sums, count, rowBytes, PAIR, referencesAfter(block), referencesAfter(block + 1));
    const first = block * BLOCK;
    const depth = min(BLOCK, call.target - first);
    if (call.rank != 0) packWeights(first, depth, count, space.largest, false, space.weights);
    else packWeightsAcross(begin, count, first, depth);
    if (call.causal && block == own) clearEarlier(begin, count, first, depth);
    multiplyPanels(
      space.weights, space.received + blockBytes() * block, roundUp(count, 4), call.panels << 3, depth, space.sums, rowBytes, block < last,
      spill(),
    );
  }
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      const row = <usize>b * call.source + begin + i;
      if (!exists(call.mask, row)) continue;
      for (let g: i32 = 0; g < call.groups; g++) {
        const panel = b * call.groups + g;
        const sums = space.sums + rowBytes * i + PAIR * panel;
        const reference = v128.load(referencesAfter((begin + i) / BLOCK) + (<usize>panel << 4));
        const weight = factorOf(f32x4.sub(loadChannels(call.key, row, g), reference));
        const received = v128.load(sums);
        const toKey = f32x4.sub(f32x4.mul(centred(loadChannels(call.value, row, g), panel), received), v128.load(sums, 16));
        storeChannels(dValue, row, g, f32x4.add(loadChannels(dValue, row, g), f32x4.mul(weight, received)));
        storeChannels(dKey, row, g, f32x4.add(loadChannels(dKey, row, g), f32x4.mul(weight, toKey)));
      }
    }
  }
}

/** `packWeights` of columns of a dense bias, as rows: `count` sources from `begin` on, `depth` targets from `first` on. */
function packWeightsAcross(begin: i32, count: i32, first: i32, depth: i32): void {
  const step = <usize>call.source << 2;
  for (let p: i32 = 0; p < depth; p++) {
    const largest = v128.load32_splat(space.largest + (<usize>(first + p) << 2));
    const from = call.bias + step * (first + p) + (<usize>begin << 2);
    let to = space.weights + (<usize>p << 4);
    let i: i32 = 0;
    for (; i + 4 <= count; i += 4, to += <usize>depth << 4) {
      v128.store(to, factorOf(f32x4.sub(v128.load(from + (<usize>i << 2)), largest)));
    }
    if (i == count) continue;
    v128.store(to, splat(0.0));
    for (; i < count; i++, to += 4) {
      const weight = expCall(f32x4.sub(v128.load32_splat(from + (<usize>i << 2)), largest));
      store<f32>(to, f32x4.extract_lane(weight, 0));
    }
  }
}

/** Sets the packed weights of targets before a source to 0. */
function clearEarlier(begin: i32, count: i32, first: i32, depth: i32): void {
  for (let i: i32 = 0; i < count; i++) {
    const panel = space.weights + ((<usize>(i & -4) * depth + (i & 3)) << 2);
    for (let p: i32 = 0; p < min(begin + i - first, depth); p++) store<f32>(panel + (<usize>p << 4), 0);
  }
}

function prepareFactors(): void {
  const row = <usize>call.rank << 2;
  const wide = <usize>roundUp(call.rank, 8);
  for (let first: i32 = 0; first < call.source; first += BLOCK) {
    const depth = min(BLOCK, call.source - first);
    packRight(call.v + row * first, row, false, call.rank, depth, space.packedV + ((wide * first) << 2));
  }
  memory.fill(space.dV, 0, (wide * roundUp(call.source, 4)) << 2);
}

/** Adds the gradient of some rows of the bias, of which the first `seen` columns count, to that of the factors. */
function differentiateFactors(begin: i32, count: i32, seen: i32, dU: usize): void {
  const row = <usize>call.rank << 2;
  const wide = <usize>roundUp(call.rank, 8) << 2;
  packRight(call.u + row * begin, row, false, call.rank, count, space.packedU);
  for (let first: i32 = 0; first < seen; first += BLOCK) {
    // Rows of the gradient reach to the end of the last block.
    const depth = min(BLOCK, call.source - first);
    const from = space.rows + (<usize>first << 2);
    const step = <usize>call.source << 2;
    packLeft(from, step, false, count, depth, space.weights);
    multiplyPanels(
      space.weights, space.packedV + wide * first, roundUp(count, 4), roundUp(call.rank, 8), depth, space.dU, wide, first > 0, spill(),
    );
    packLeft(from, step, true, depth, count, space.weights);
    multiplyPanels(
      space.weights, space.packedU, roundUp(depth, 4), roundUp(call.rank, 8), count, space.dV + wide * first, wide, true, spill(),
    );
  }
  copyColumns(space.dU, dU + row * begin, count);
}

/** Copies rows that are filled up to a multiple of eight into rows of the rank. */
function copyColumns(from: usize, to: usize, rows: i32): void {
  const wide = <usize>roundUp(call.rank, 8) << 2;
  const row = <usize>call.rank << 2;
  for (let i: i32 = 0; i < rows; i++) memory.copy(to + row * i, from + wide * i, row);
}
