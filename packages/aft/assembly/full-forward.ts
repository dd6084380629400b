// AFT-full: one product e^(bias - largest of the row) [e^(key - reference) value | e^(key - reference)], and what its sums cannot hold directly; where that
// is much, tiles of sources.
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { biasRows, largestOf, makeRows, packFactors, packWeights, spill } from './full-bias';
import { BLOCK, blocksOf, call, CAUSAL_LEAST, EXCESS, FIRST_EXCESS, FIRST_LEAST, LEAST, PAIR, raiseFactors, ROWS, roundUp, setSizes, setTensors } from './full-call';
import { countBeyond, finish, finished } from './full-finish';
import { findOwnReferences, findReferences, largestKeys, packSources, referencesAfter, rescale } from './full-sources';
import { space, takeSpace } from './full-sum-space';
import { sumTiles } from './full-tiled-sums';
import { findBase, findTileKeys, isCrowded, keysOf, TILE } from './full-tiles';
import { addOwnSources } from './full-triangle';

/** Bytes of working memory that `forward` needs. */
export function forwardBytes(batch: i32, target: i32, source: i32, dim: i32, rank: i32, causal: bool): usize {
  setSizes(batch, target, source, dim, rank, causal, 0);
  takeSpace();
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
  takeSpace();
  findReferences();
  findBase();
  packFactors(false);
  space.packed = 0;
  space.ownBlock = -1;
  let redone: i32 = 0;
  let crowded = false;
  for (let begin: i32 = 0; begin < target; begin += ROWS) {
    const count = min(ROWS, target - begin);
    const own = begin / BLOCK;
    makeRows(begin, count);
    for (let i: i32 = 0; i < count; i++) {
      const seen = causal ? begin + i + 1 : source;
      store<f32>(space.largest + (<usize>i << 2), largestOf(biasRows.at + biasRows.step * i, seen));
    }
    if (causal && begin % BLOCK == 0) findOwnReferences(own, space.ownReferences);
    if (!crowded) {
      useTiles(false);
      sumBlocks(begin, count, causal ? own : blocksOf(source));
      if (!causal) crowded = isCrowded(countBeyond(count), count);
    }
    if (crowded) {
      useTiles(true);
      pack(causal ? (begin + count - 1) & -TILE : source);
      sumTiles(begin, count);
    }
    const least = !causal ? LEAST : own == 0 ? FIRST_LEAST : CAUSAL_LEAST;
    finish(begin, count, causal ? space.ownReferences : largestKeys(), least, output, context, logNormalizer);
    redone += finished.redone;
    // Of a causal call no target may depend on what follows, so those before decide.
    crowded = isCrowded(finished.beyond, count);
  }
  return redone;
}

/** Sources are packed by tiles from here on, or by blocks. */
function useTiles(tiled: bool): void {
  if (space.tiled != tiled) space.packed = 0;
  space.tiled = tiled;
  raiseFactors(true, !tiled && call.causal);
}

/** Packs the sources before `end`, as far as they are not. */
function pack(end: i32): void {
  while (space.packed < end) {
    const first = space.packed;
    const count = min(space.tiled ? TILE : BLOCK, call.source - first);
    const to = space.sources + <usize>call.panels * PAIR * first;
    if (space.tiled) {
      findTileKeys(first / TILE);
      packSources(first, count, keysOf(first / TILE), EXCESS, 0, to);
    } else {
      packSources(first, count, referencesAfter(first / BLOCK), EXCESS, 0, to);
    }
    space.packed += count;
  }
}

/** Sets the sums of some targets by one product over the first `blocks` blocks, and over what causal targets see of their own. */
function sumBlocks(begin: i32, count: i32, blocks: i32): void {
  const rowBytes = <usize>call.panels * PAIR;
  pack(min(blocks * BLOCK, call.source));
  for (let block: i32 = 0; block < blocks; block++) {
    const first = block * BLOCK;
    const depth = min(BLOCK, call.source - first);
    if (call.causal && block > 0) rescale(space.sums, count, rowBytes, PAIR, referencesAfter(block - 1), referencesAfter(block));
    packWeights(first, depth, count, space.largest, true, space.weights);
    multiplyPanels(
      space.weights, space.sources + rowBytes * first, roundUp(count, 4), call.panels << 3, depth, space.sums, rowBytes, block > 0, spill(),
    );
  }
  if (!call.causal) return;
  if (space.ownBlock != blocks) {
    const first = blocks * BLOCK;
    packSources(first, min(BLOCK, call.source - first), space.ownReferences, blocks == 0 ? FIRST_EXCESS : EXCESS, 0, space.own);
    space.ownBlock = blocks;
  }
  if (blocks == 0) memory.fill(space.sums, 0, rowBytes * ROWS);
  addOwnSources(begin, count, blocks);
}
