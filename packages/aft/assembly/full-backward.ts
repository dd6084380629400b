// The gradient of AFT-full as two products per pair of a block of targets and one of sources. With r = g / denominator, what a target receives:
// over targets, weights^T [r | -r O]; over channels, [r | -r O] [e^key value | e^key]^T. What a denominator cannot hold enters with r = 0 and is added
// directly.
import { packRight } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { splat } from '../../tensor-ops/assembly/math';
import { biasRows, largestOf, makeRows, packFactors, spill, weigh } from './full-bias';
import { BLOCK, blocksOf, call, EXCESS, PAIR, raiseFactors, ROWS, setSizes, setTensors } from './full-call';
import { direct } from './full-direct';
import { differentiateFactors, factorRows, finishFactors, prepareFactors, takeFactorSpace } from './full-factors';
import { CHUNK, chunkOfSources, space, takeSpace } from './full-gradient-space';
import { countBeyond, receive, receiveDirectly } from './full-received';
import { differentiateSources } from './full-source-gradients';
import { findCentres, findReferences, packSources, referencesAfter } from './full-sources';
import { addWeighed, differentiateTiles } from './full-tiled-gradient';
import { findBase, findTileKeys, isCrowded, keysOf, TILE, tilesOf } from './full-tiles';
import { expCall } from './slots';

/** Bytes of working memory that `backward` needs. */
export function backwardBytes(batch: i32, target: i32, source: i32, dim: i32, rank: i32, causal: bool): usize {
  setSizes(batch, target, source, dim, rank, causal, 0);
  takeSpace();
  takeFactorSpace();
  return call.free;
}

/** Packs e^(key - reference) value and its weight of every source: of each chunk, panels of eight sources. */
function packSourcesAcross(tiled: bool): void {
  space.tiled = tiled;
  if (tiled) for (let tile: i32 = 0; tile < tilesOf(call.source); tile++) findTileKeys(tile);
  const few = space.tileReceived;
  for (let j: i32 = 0; j < call.source; j += 8) {
    const count = min(8, call.source - j);
    packSources(j, count, tiled ? keysOf(j / TILE) : referencesAfter(j / BLOCK), EXCESS, space.centres, few);
    for (let panel: i32 = 0; panel < call.panels; panel++) {
      const chunk = panel - panel % CHUNK;
      const width = <usize>min(CHUNK, call.panels - chunk);
      const to = chunkOfSources(chunk) + ((<usize>(j >> 3) * width + (panel - chunk)) << 8);
      packRight(few + PAIR * count * panel, PAIR, true, count, 8, to);
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
  raiseFactors(false, false);
  takeSpace();
  takeFactorSpace();
  findReferences();
  packFactors(true);
  findCentres(space.centres);
  findBase();
  packSourcesAcross(false);
  memory.fill(space.some, 0, <usize>blocksOf(target) << 2);
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
    const rows = rank == 0 ? dPositionBias + ((<usize>begin * source) << 2) : factorRows();
    const crowded = isCrowded(countBeyond(begin, count, logNormalizer), count);
    if (crowded != space.tiled) packSourcesAcross(crowded);
    const held = receive(begin, count, context, logNormalizer, dOutput, dQuery);
    if (rank != 0) memory.fill(rows, 0, (<usize>count * source) << 2);
    if (crowded) differentiateTiles(begin, count, context, dKey, dValue, rows);
    else differentiateRows(begin, count, rows);
    if (!held) redone += receiveDirectly(begin, count, context, logNormalizer, dOutput, dQuery, dKey, dValue, rows);
    if (rank != 0) differentiateFactors(begin, count, seen, dU);
  }
  for (let begin: i32 = 0; begin < source; begin += ROWS) differentiateSources(begin, min(ROWS, source - begin), dKey, dValue);
  if (rank != 0) finishFactors(dV);
  return redone;
}

/** Adds to rows of the gradient of the bias, as far as the products give it. */
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
    const seen = call.causal ? begin + 1 - first : columns;
    const largest = space.largest + (<usize>begin << 2);
    weigh(biasRows.at + (<usize>first << 2), biasRows.step, count, columns, largest, true, seen);
    addWeighed(first, columns, count, 1.0, rows);
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
