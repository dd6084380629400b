// Keys and values of AFT-full as factors of a matrix product: e^(key - reference) value and e^(key - reference).
import { maximum, minimum, splat } from '../../tensor-ops/assembly/math';
import { BLOCK, blocksOf, call, channelsOf, factorOf, loadChannels, PAIR } from './full-call';
import { expCall } from './slots';
import { exists, NONE } from './sources';

/**
 * References of the exponents, `[blocks + 1, panels]` vectors. What follows block `i` (at `i + 1`) is, per channel, the largest key of all sources; of a
 * causal call the largest up to the end of the block, so that a key to come counts for nothing. At 0 stands NONE.
 */
export namespace references {
  export let all: usize = 0;
  /** Bytes between those of two blocks. */
  export let row: usize = 0;
}

// @ts-ignore: decorator
@inline
export function referencesAfter(block: i32): usize {
  return references.all + references.row * (block + 1);
}

/** The largest key of each channel. */
// @ts-ignore: decorator
@inline
export function largestKeys(): usize {
  return referencesAfter(blocksOf(call.source) - 1);
}

export function findReferences(): void {
  const blocks = blocksOf(call.source);
  const row = references.row;
  for (let at = references.all; at < references.all + row; at += 16) v128.store(at, splat(NONE));
  for (let block: i32 = 0; block < blocks; block++) {
    const largest = referencesAfter(block);
    memory.copy(largest, largest - row, row);
    for (let b: i32 = 0; b < call.batch; b++) {
      const first = <usize>b * call.source;
      for (let j = block * BLOCK; j < min((block + 1) * BLOCK, call.source); j++) {
        if (!exists(call.mask, first + j)) continue;
        let at = largest + ((<usize>b * call.groups) << 4);
        for (let g: i32 = 0; g < call.groups; g++, at += 16) {
          v128.store(at, maximum(v128.load(at), loadChannels(call.key, first + j, g)));
        }
      }
    }
  }
  if (call.causal) return;
  for (let block: i32 = 0; block < blocks - 1; block++) memory.copy(referencesAfter(block), largestKeys(), row);
}

/**
 * Packs `count` sources from `begin` on as the right factor of the sums over sources, `[panels, count, 8]`.
 *
 * @param reference - one vector per panel. Where a key exceeds it by more than `excess` the factor is infinite, and so are the sums of who sees it.
 * @param centres - one vector per panel that is taken off the values, or 0.
 */
export function packSources(begin: i32, count: i32, reference: usize, excess: f32, centres: usize, packed: usize): void {
  const panel = <usize>count * PAIR;
  for (let b: i32 = 0; b < call.batch; b++) {
    const first = <usize>b * call.source + begin;
    // Four groups at a time are a cache line of the source, and few enough lines of the target, whose panels are powers of two apart.
    for (let from: i32 = 0; from < call.groups; from += 4) {
      const until = min(from + 4, call.groups);
      const firstPanel = <usize>b * call.groups + from;
      for (let j: i32 = 0; j < count; j++) {
        let to = packed + panel * firstPanel + PAIR * j;
        let at = reference + (firstPanel << 4);
        const present = exists(call.mask, first + j);
        for (let g = from; g < until; g++, to += panel, at += 16) {
          if (!present) {
            memory.fill(to, 0, PAIR);
            continue;
          }
          const x = f32x4.sub(channelsOf(call.key, first + j, g), v128.load(at));
          const weight = v128.bitselect(splat(f32(Infinity)), factorOf(x), f32x4.gt(x, splat(excess)));
          let value = channelsOf(call.value, first + j, g);
          if (centres != 0) value = f32x4.sub(value, v128.load(centres + (at - reference)));
          v128.store(to, f32x4.mul(weight, value));
          v128.store(to, weight, 16);
        }
      }
    }
  }
}

/**
 * References that a causal block's own targets may use: the largest key before the block, and where there is no source before it, the first key of
 * the block.
 */
export function findOwnReferences(block: i32, own: usize): void {
  memory.copy(own, referencesAfter(block - 1), references.row);
  for (let b: i32 = 0; b < call.batch; b++) {
    const first = <usize>b * call.source;
    let j = block * BLOCK;
    while (j < call.source && !exists(call.mask, first + j)) j++;
    if (j >= call.source) continue;
    let at = own + ((<usize>b * call.groups) << 4);
    for (let g: i32 = 0; g < call.groups; g++, at += 16) {
      const before = v128.load(at);
      v128.store(at, v128.bitselect(loadChannels(call.key, first + j, g), before, f32x4.eq(before, splat(NONE))));
    }
  }
}

/** The value of channels of the first source from `j` on that exists, or else `other`. */
function valueFrom(b: i32, j: i32, group: i32, other: v128): v128 {
  const first = <usize>b * call.source;
  while (j < call.source && !exists(call.mask, first + j)) j++;
  return j < call.source ? loadChannels(call.value, first + j, group) : other;
}

/**
 * A value in the midst of each channel's, one vector per panel: the median of three. Gradients are sums of value minus context, computed apart; what
 * both have in common is taken off before, so that it costs no digits.
 */
export function findCentres(centres: usize): void {
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let g: i32 = 0; g < call.groups; g++, centres += 16) {
      const x = valueFrom(b, 0, g, splat(0.0));
      const y = valueFrom(b, call.source / 3, g, x);
      const z = valueFrom(b, call.source * 2 / 3, g, y);
      const median = maximum(minimum(x, y), minimum(maximum(x, y), z));
      v128.store(centres, v128.and(median, f32x4.eq(median, median)));
    }
  }
}

/**
 * Multiplies the sums of `rows` rows, `[rows, panels, 8]`, by e^(from - to) per channel, at most 1.
 *
 * @param rowStep - bytes between rows, @param panelStep - between panels.
 */
export function rescale(sums: usize, rows: i32, rowStep: usize, panelStep: usize, from: usize, to: usize): void {
  for (let p: i32 = 0; p < call.panels; p++, from += 16, to += 16, sums += panelStep) {
    const change = f32x4.sub(v128.load(from), v128.load(to));
    // The largest key so far seldom grows.
    if (!v128.any_true(f32x4.ne(change, splat(0.0)))) continue;
    const factor = expCall(change);
    for (let i: i32 = 0; i < rows; i++) {
      const at = sums + rowStep * i;
      v128.store(at, f32x4.mul(v128.load(at), factor));
      v128.store(at, f32x4.mul(v128.load(at, 16), factor), 16);
    }
  }
}
