// What targets receive: r = g / denominator and -r O, as a factor of both products of the gradient, and directly what a denominator cannot hold.
import { packLeft } from '../../tensor-ops/assembly/gemm-pack';
import { maximum, splat } from '../../tensor-ops/assembly/math';
import { biasRows, largestLane } from './full-bias';
import { BLOCK, call, loadChannels, PAIR, ROWS, storeChannels } from './full-call';
import { spreadDirectly } from './full-direct';
import { blockBytes, centred, CHUNK, space } from './full-gradient-space';
import { largestKeys, referencesAfter } from './full-sources';
import { tiles } from './full-tiles';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { expCall } from './slots';
import { NONE } from './sources';

/** The log of the inverse of the least denominator that the products hold. */
const MOST: f32 = 46.0;

/** References that what target `t` receives is relative to. */
// @ts-ignore: decorator
@inline
function referencesOf(t: i32): usize {
  return call.causal ? referencesAfter(t / BLOCK) : largestKeys();
}

/** Logs of denominators beyond this have lost digits; what they belong to is not done in tiles. */
const LARGE: f32 = 1024.0;

/** Which channels the products, or tiles, hold, from the log of the inverse denominator. NaN fails it, no source passes it. */
// @ts-ignore: decorator
@inline
function holds(inverse: v128, logs: v128, tiled: bool): v128 {
  const within = tiled ? f32x4.le(f32x4.abs(logs), splat(LARGE)) : f32x4.le(inverse, splat(MOST));
  return v128.or(within, f32x4.le(logs, splat(NONE / 2)));
}

/** How many elements products over all sources do not hold. */
export function countBeyond(begin: i32, count: i32, logNormalizer: usize): i32 {
  let beyond: i32 = 0;
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      for (let g: i32 = 0; g < call.groups; g++) {
        const logs = loadChannels(logNormalizer, <usize>b * call.target + begin + i, g);
        beyond += 4 - popcnt<i32>(i32x4.bitmask(holds(inverseOf(begin + i, b * call.groups + g, logs), logs, false)));
      }
    }
  }
  return beyond;
}

/** The log of the inverse denominator of target `t`, relative to its references. */
// @ts-ignore: decorator
@inline
function inverseOf(t: i32, panel: i32, logs: v128): v128 {
  const at = <usize>panel << 4;
  const change = f32x4.sub(v128.load(referencesOf(t) + at), v128.load(largestKeys() + at));
  return f32x4.add(f32x4.sub(change, logs), v128.load32_splat(space.largest + (<usize>t << 2)));
}

/** @returns the gradient of the context; 0 in lanes past the last channel. Stores that of the query. */
function receivedBy(row: usize, g: i32, mixed: v128, dOutput: usize, dQuery: usize): v128 {
  const gradient = loadChannels(dOutput, row, g);
  if (call.activation == NO_GATE) {
    storeChannels(dQuery, row, g, splat(0.0));
    return gradient;
  }
  const q = loadChannels(call.query, row, g);
  const exponential = gateExponential(q, call.activation);
  const gate = gateOf(q, exponential, call.activation);
  storeChannels(dQuery, row, g, f32x4.mul(f32x4.mul(gradient, mixed), gateSlope(q, exponential, gate, call.activation)));
  return f32x4.mul(gradient, gate);
}

/**
 * Packs what some targets receive, both ways, and stores the gradients of their queries. For tiles it is left as it is, beside the logs.
 *
 * @returns whether the products, or tiles, hold all of it.
 */
export function receive(begin: i32, count: i32, context: usize, logNormalizer: usize, dOutput: usize, dQuery: usize): bool {
  const block = begin / BLOCK;
  const depth = <usize>min(BLOCK, call.target - block * BLOCK);
  const tiled = space.tiled;
  let all = true;
  let largest = splat(0.0);
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      const t = begin + i;
      const row = <usize>b * call.target + t;
      for (let g: i32 = 0; g < call.groups; g++) {
        const panel = b * call.groups + g;
        const mixed = loadChannels(context, row, g);
        const logs = loadChannels(logNormalizer, row, g);
        let gradient = receivedBy(row, g, mixed, dOutput, dQuery);
        const inverse = inverseOf(t, panel, logs);
        const held = holds(inverse, logs, tiled);
        all = all && v128.all_true<i32>(held);
        const kept = v128.and(held, f32x4.gt(logs, splat(NONE / 2)));
        let at = space.received + blockBytes() * block + (<usize>panel * depth + (t - block * BLOCK)) * PAIR;
        if (tiled) {
          memory.fill(at, 0, PAIR);
          at = space.sums + (<usize>panel * ROWS + i) * PAIR;
          const shift = f32x4.sub(v128.load(largestKeys() + (<usize>panel << 4)), v128.load(tiles.base + (<usize>panel << 4)));
          v128.store(space.logs + ((<usize>panel * ROWS + i) << 4), f32x4.add(logs, shift));
          largest = maximum(f32x4.abs(gradient), largest);
        } else gradient = f32x4.mul(gradient, expCall(inverse));
        const share = v128.and(gradient, kept);
        v128.store(at, share);
        v128.store(at, v128.and(f32x4.mul(share, f32x4.neg(centred(mixed, panel))), kept), 16);
      }
    }
  }
  if (tiled) scaleReceived(count, largest);
  else {
    store<i32>(space.some + (<usize>block << 2), 1);
    packAcross(space.received + blockBytes() * block + (begin - block * BLOCK) * PAIR, depth * PAIR, count);
  }
  return all;
}

/** Makes the largest of what is received about 1, by a power of two. */
function scaleReceived(count: i32, largest: v128): void {
  // Infinite and NaN, or 0, it is left as it is.
  const exponent = reinterpret<i32>(largestLane(largest)) >> 23;
  const power = exponent == 0 || exponent >= 240 ? 0 : 127 - exponent;
  const scale = splat(reinterpret<f32>((127 + power) << 23));
  space.unit = reinterpret<f32>((127 - power - 20) << 23);
  for (let panel: i32 = 0; panel < call.panels; panel++) {
    const from = space.sums + <usize>panel * ROWS * PAIR;
    for (let at = from; at < from + PAIR * count; at += 16) v128.store(at, f32x4.mul(v128.load(at), scale));
  }
}

/** Packs what `count` targets receive as a left factor: of each chunk of panels, panels of four rows. Rows that do not exist are 0. */
export function packAcross(from: usize, panelStep: usize, count: i32): void {
  for (let panel: i32 = 0; panel < call.panels; panel++, from += panelStep) {
    const chunk = panel - panel % CHUNK;
    const width = min(CHUNK, call.panels - chunk);
    for (let i: i32 = 0; i < count; i += 4) {
      const to = space.receivedRows + <usize>chunk * PAIR * ROWS + ((<usize>(i >> 2) * width + (panel - chunk)) << 7);
      packLeft(from + PAIR * i, PAIR, false, min(count - i, 4), 8, to);
    }
  }
}

/** Adds what the products of some targets left out. @returns how many elements that were. */
export function receiveDirectly(
  begin: i32, count: i32, context: usize, logNormalizer: usize, dOutput: usize, dQuery: usize, dKey: usize, dValue: usize, rows: usize,
): i32 {
  let redone: i32 = 0;
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      const row = <usize>b * call.target + begin + i;
      for (let g: i32 = 0; g < call.groups; g++) {
        const logs = loadChannels(logNormalizer, row, g);
        const held = holds(inverseOf(begin + i, b * call.groups + g, logs), logs, space.tiled);
        if (v128.all_true<i32>(held)) continue;
        redone += 4 - popcnt<i32>(i32x4.bitmask(held));
        const mixed = loadChannels(context, row, g);
        const received = v128.andnot(receivedBy(row, g, mixed, dOutput, dQuery), held);
        spreadDirectly(
          b, begin + i, g, biasRows.at + biasRows.step * i, received, mixed, dKey, dValue,
          rows + ((<usize>i * call.source) << 2),
        );
      }
    }
  }
  return redone;
}
