// AFT-full: one product e^(bias - largest of the row) [e^(key - reference) value | e^(key - reference)], and what its sums cannot hold directly.
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { log, madd, splat } from '../../tensor-ops/assembly/math';
import { biasRows, largestOf, makeRows, packFactors, packWeights, spill, takeBias } from './full-bias';
import { BLOCK, blocksOf, call, CAUSAL_LEAST, EXCESS, FIRST_EXCESS, FIRST_LEAST, LEAST, loadChannels, PAIR, raiseFactors, ROWS, roundUp, setSizes, setTensors, storeChannels, take } from './full-call';
import { direct, mixDirectly } from './full-direct';
import { findOwnReferences, findReferences, largestKeys, packSources, references, referencesAfter, rescale } from './full-sources';
import { gated, NO_GATE } from './gate';

namespace space {
  /** All sources, packed block by block. */
  export let sources: usize = 0;
  /** The sources of a causal block for its own targets, and their references. */
  export let own: usize = 0;
  export let ownReferences: usize = 0;
  export let weights: usize = 0;
  /** `[ROWS, panels, 8]`. */
  export let sums: usize = 0;
  /** The largest bias of each row. */
  export let largest: usize = 0;
}

function takeMemory(): void {
  const panels = <usize>call.panels;
  references.row = panels << 4;
  references.all = take((panels * (blocksOf(call.source) + 1)) << 2);
  space.sources = take(panels * 8 * call.source);
  space.weights = take(ROWS * BLOCK);
  space.sums = take(panels * 8 * ROWS);
  space.largest = take(ROWS);
  direct.context = take(16);
  direct.logNormalizer = direct.context + 16;
  direct.largest = direct.context + 32;
  direct.denominator = direct.context + 48;
  if (call.causal) {
    space.own = take(panels * 8 * BLOCK);
    space.ownReferences = take(panels << 2);
  }
  takeBias(false);
}

/** Bytes of working memory that `forward` needs. */
export function forwardBytes(batch: i32, target: i32, source: i32, dim: i32, rank: i32, causal: bool): usize {
  setSizes(batch, target, source, dim, rank, causal, 0);
  takeMemory();
  return call.free;
}

/**
 * `context` and `logNormalizer` are both 0 when they are not wanted.
 *
 * @returns how many of the outputs were computed directly.
 */
export function forward(
  query: usize, key: usize, value: usize, bias: usize, u: usize, v: usize, mask: usize,
  output: usize, context: usize, logNormalizer: usize, scratch: usize,
  batch: i32, target: i32, source: i32, dim: i32, rank: i32, causal: bool, activation: i32,
): i32 {
  setSizes(batch, target, source, dim, rank, causal, scratch);
  setTensors(query, key, value, bias, u, v, mask, activation);
  raiseFactors(true);
  takeMemory();
  findReferences();
  packFactors(false);
  const blocks = blocksOf(source);
  const blockBytes = <usize>call.panels * PAIR * BLOCK;
  if (!causal) {
    for (let block: i32 = 0; block < blocks; block++) packSources(block, largestKeys(), EXCESS, space.sources + blockBytes * block);
  }
  const rowBytes = <usize>call.panels * PAIR;
  let redone: i32 = 0;
  for (let begin: i32 = 0; begin < target; begin += ROWS) {
    const count = min(ROWS, target - begin);
    const own = causal ? begin / BLOCK : blocks;
    if (causal && begin % BLOCK == 0) {
      // The block before is over: from here on its sources are as good as any.
      if (own > 0) packSources(own - 1, referencesAfter(own - 1), EXCESS, space.sources + blockBytes * (own - 1));
      findOwnReferences(own, space.ownReferences);
      packSources(own, space.ownReferences, own == 0 ? FIRST_EXCESS : EXCESS, space.own);
    }
    makeRows(begin, count);
    for (let i: i32 = 0; i < count; i++) {
      const seen = causal ? begin + i + 1 : source;
      store<f32>(space.largest + (<usize>i << 2), largestOf(biasRows.at + biasRows.step * i, seen));
    }
    for (let block: i32 = 0; block < own; block++) {
      const depth = min(BLOCK, source - block * BLOCK);
      if (causal && block > 0) rescale(space.sums, count, rowBytes, PAIR, referencesAfter(block - 1), referencesAfter(block));
      packWeights(block * BLOCK, depth, count, space.largest, true, space.weights);
      multiplyPanels(
        space.weights, space.sources + blockBytes * block, roundUp(count, 4), call.panels << 3, depth, space.sums, rowBytes, block > 0,
        spill(),
      );
    }
    if (causal) {
      if (own == 0) memory.fill(space.sums, 0, rowBytes * ROWS);
      addOwnSources(begin, count, own);
    }
    if (causal) redone += finish(begin, count, space.ownReferences, own == 0 ? FIRST_LEAST : CAUSAL_LEAST, output, context, logNormalizer);
    else redone += finish(begin, count, largestKeys(), LEAST, output, context, logNormalizer);
  }
  return redone;
}

/** Adds to the sums what targets see of their own block. */
function addOwnSources(begin: i32, count: i32, block: i32): void {
  const first = block * BLOCK;
  const depth = min(BLOCK, call.source - first);
  const seen = begin + count - first;
  packWeights(first, seen, count, space.largest, true, space.weights);
  const rowBytes = <usize>call.panels * PAIR;
  for (let p: i32 = 0; p < call.panels; p++) {
    const right = space.own + <usize>p * depth * PAIR;
    for (let i: i32 = 0; i < count; i += 4) {
      addTriangle(space.weights + ((<usize>i * seen) << 2), right, begin + i - first, space.sums + rowBytes * i + PAIR * p, rowBytes);
    }
  }
}

/**
 * Adds to four rows the product of `depth` columns, and of four more of which row `i` takes the first `i + 1`: a source to come is not even
 * multiplied by 0, for it may be infinite. Rows that do not exist may take what lies there.
 */
function addTriangle(left: usize, right: usize, depth: i32, sums: usize, row: usize): void {
  let c00 = v128.load(sums), c01 = v128.load(sums, 16);
  let c10 = v128.load(sums + row), c11 = v128.load(sums + row, 16);
  let c20 = v128.load(sums + row * 2), c21 = v128.load(sums + row * 2, 16);
  let c30 = v128.load(sums + row * 3), c31 = v128.load(sums + row * 3, 16);
  const end = right + PAIR * depth;
  const stop = end + PAIR * 4;
  let a: v128;
  while (right < stop) {
    const b0 = v128.load(right);
    const b1 = v128.load(right, 16);
    if (right <= end) {
      a = v128.load32_splat(left);
      c00 = madd(a, b0, c00);
      c01 = madd(a, b1, c01);
    }
    if (right <= end + PAIR) {
      a = v128.load32_splat(left, 4);
      c10 = madd(a, b0, c10);
      c11 = madd(a, b1, c11);
    }
    if (right <= end + PAIR * 2) {
      a = v128.load32_splat(left, 8);
      c20 = madd(a, b0, c20);
      c21 = madd(a, b1, c21);
    }
    a = v128.load32_splat(left, 12);
    c30 = madd(a, b0, c30);
    c31 = madd(a, b1, c31);
    left += 16;
    right += PAIR;
  }
  v128.store(sums, c00);
  v128.store(sums, c01, 16);
  v128.store(sums + row, c10);
  v128.store(sums + row, c11, 16);
  v128.store(sums + row * 2, c20);
  v128.store(sums + row * 2, c21, 16);
  v128.store(sums + row * 3, c30);
  v128.store(sums + row * 3, c31, 16);
}

/** Turns sums into contexts, logs and gated outputs, and counts what it had to compute directly. */
function finish(begin: i32, count: i32, reference: usize, least: f32, output: usize, context: usize, logNormalizer: usize): i32 {
  let redone: i32 = 0;
  const unit = splat(reinterpret<f32>((127 - 2 * <i32>call.power) << 23));
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      const row = <usize>b * call.target + begin + i;
      const firstPanel = <usize>b * call.groups;
      const largestBias = v128.load32_splat(space.largest + (<usize>i << 2));
      let sums = space.sums + (<usize>call.panels * i + firstPanel) * PAIR;
      let at = firstPanel << 4;
      for (let g: i32 = 0; g < call.groups; g++, sums += PAIR, at += 16) {
        const numerator = v128.load(sums);
        const product = v128.load(sums, 16);
        const denominator = f32x4.mul(product, unit);
        // Written so that NaN fails it.
        const holds = v128.and(
          v128.and(f32x4.ge(denominator, splat(least)), f32x4.le(denominator, splat(1.0 / LEAST))),
          f32x4.le(f32x4.abs(numerator), splat(1e38)),
        );
        let mixed = f32x4.div(numerator, product);
        const largestKey = v128.load(largestKeys() + at);
        const held = i32x4.bitmask(holds) | (g == call.groups - 1 ? (15 << (call.dim - (g << 2))) & 15 : 0);
        if (held != 15) {
          mixDirectly(b, begin + i, g, biasRows.at + biasRows.step * i, largestKey);
          mixed = v128.bitselect(mixed, v128.load(direct.context), holds);
          redone += 4 - popcnt<i32>(held);
        }
        if (context != 0) {
          let logs = f32x4.add(f32x4.add(largestBias, f32x4.sub(v128.load(reference + at), largestKey)), log(denominator));
          if (held != 15) logs = v128.bitselect(logs, v128.load(direct.logNormalizer), holds);
          storeChannels(context, row, g, mixed);
          storeChannels(logNormalizer, row, g, logs);
        }
        if (call.activation != NO_GATE) mixed = gated(mixed, loadChannels(call.query, row, g), call.activation);
        storeChannels(output, row, g, mixed);
      }
    }
  }
  return redone;
}
