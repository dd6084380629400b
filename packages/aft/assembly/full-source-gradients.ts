// The gradients of keys and values of AFT-full, as a product over targets.
import { packLeft } from '../../tensor-ops/assembly/gemm-pack';
import { multiplyPanels } from '../../tensor-ops/assembly/gemm-tile';
import { splat } from '../../tensor-ops/assembly/math';
import { makeColumns, packWeights, spill, weigh, weighed } from './full-bias';
import { addChannels, BLOCK, blocksOf, call, factorOf, channelsOf, PAIR, roundUp } from './full-call';
import { blockBytes, centred, space } from './full-gradient-space';
import { referencesAfter, rescale } from './full-sources';
import { exists } from './sources';

/** Adds to the gradients of keys and values what the products give to some sources. */
export function differentiateSources(begin: i32, count: i32, dKey: usize, dValue: usize): void {
  const own = begin / BLOCK;
  const last = blocksOf(call.target) - 1;
  const rowBytes = <usize>call.panels * PAIR;
  if (call.rank != 0) makeColumns(begin, count);
  let some = false;
  for (let block = last; block >= (call.causal ? own : 0); block--) {
    if (call.causal && some) rescale(space.sums, count, rowBytes, PAIR, referencesAfter(block), referencesAfter(block + 1));
    if (load<i32>(space.some + (<usize>block << 2)) == 0) continue;
    const first = block * BLOCK;
    const depth = min(BLOCK, call.target - first);
    if (call.rank != 0) packWeights(first, depth, count, space.largest, false, space.weights);
    else packWeightsAcross(begin, count, first, depth);
    if (call.causal && block == own) clearEarlier(begin, count, first, depth);
    multiplyPanels(
      space.weights, space.received + blockBytes() * block, roundUp(count, 4), call.panels << 3, depth, space.sums, rowBytes, some, spill(),
    );
    some = true;
  }
  if (!some) return;
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      const row = <usize>b * call.source + begin + i;
      if (!exists(call.mask, row)) continue;
      for (let g: i32 = 0; g < call.groups; g++) {
        const panel = b * call.groups + g;
        const sums = space.sums + rowBytes * i + PAIR * panel;
        addToSource(row, g, panel, v128.load(referencesAfter((begin + i) / BLOCK) + (<usize>panel << 4)), sums, splat(1.0), dKey, dValue);
      }
    }
  }
}

/**
 * Adds sums over targets to the gradients of four channels of a source.
 *
 * @param reference - what its weights are relative to, @param unit - what the sums are to be multiplied by.
 */
export function addToSource(
  row: usize, g: i32, panel: i32, reference: v128, sums: usize, unit: v128, dKey: usize, dValue: usize,
): void {
  const weight = f32x4.mul(factorOf(f32x4.sub(channelsOf(call.key, row, g), reference)), unit);
  const received = v128.load(sums);
  const toKey = f32x4.add(f32x4.mul(centred(channelsOf(call.value, row, g), panel), received), v128.load(sums, 16));
  addChannels(dValue, row, g, f32x4.mul(weight, received));
  addChannels(dKey, row, g, f32x4.mul(weight, toKey));
}

/** `packWeights` of columns of a dense bias, as rows: `count` sources from `begin` on, `depth` targets from `first` on. */
function packWeightsAcross(begin: i32, count: i32, first: i32, depth: i32): void {
  const step = <usize>call.source << 2;
  weigh(call.bias + step * first + (<usize>begin << 2), step, depth, count, space.largest + (<usize>first << 2), true, count);
  packLeft(weighed.at, weighed.step, true, count, depth, space.weights);
}

/** Sets the packed weights of targets before a source to 0. */
function clearEarlier(begin: i32, count: i32, first: i32, depth: i32): void {
  for (let i: i32 = 0; i < count; i++) {
    const panel = space.weights + ((<usize>(i & -4) * depth + (i & 3)) << 2);
    for (let p: i32 = 0; p < min(begin + i - first, depth); p++) store<f32>(panel + (<usize>p << 4), 0);
  }
}
