// What targets receive: r = g / denominator and r O, as a factor of both products of the gradient, and directly what a denominator cannot hold.
import { packLeft } from '../../tensor-ops/assembly/gemm-pack';
import { exp, splat } from '../../tensor-ops/assembly/math';
import { biasRows } from './full-bias';
import { BLOCK, call, loadChannels, PAIR, ROWS, storeChannels } from './full-call';
import { spreadDirectly } from './full-direct';
import { blockBytes, centred, CHUNK, space } from './full-gradient-space';
import { largestKeys, referencesAfter } from './full-sources';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { NONE } from './sources';

/** The log of the inverse of the least denominator that the products hold. */
const MOST: f32 = 46.0;

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
export function receive(begin: i32, count: i32, context: usize, logNormalizer: usize, dOutput: usize, dQuery: usize): bool {
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

/** Adds what the products of some targets left out. @returns how many elements that were. */
export function receiveDirectly(
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
