// Sums of AFT-full become contexts, logs and gated outputs.
import { splat } from '../../tensor-ops/assembly/math';
import { biasRows } from './full-bias';
import { call, LEAST, loadChannels, PAIR, ROWS, storeChannels } from './full-call';
import { direct, mixDirectly } from './full-direct';
import { largestKeys } from './full-sources';
import { space } from './full-sum-space';
import { tiles } from './full-tiles';
import { gated, NO_GATE } from './gate';
import { expCall, logCall } from './slots';
import { NONE } from './sources';

/** What the last `finish` computed one by one, and how many elements a product over all sources does not hold. */
export namespace finished {
  export let redone: i32 = 0;
  export let beyond: i32 = 0;
}

/** Which denominators a product holds. Written so that NaN fails it. */
// @ts-ignore: decorator
@inline
function holds(denominator: v128, least: f32): v128 {
  return v128.and(f32x4.ge(denominator, splat(least)), f32x4.le(denominator, splat(1.0 / LEAST)));
}

// @ts-ignore: decorator
@inline
function powerOf(power: f32): v128 {
  return splat(reinterpret<f32>((127 + <i32>power) << 23));
}

/** How many elements of a product over all sources it does not hold; those without any source do not count. */
export function countBeyond(count: i32): i32 {
  const unit = powerOf(-2.0 * call.power);
  let beyond: i32 = 0;
  for (let i: i32 = 0; i < count; i++) {
    let sums = space.sums + <usize>call.panels * i * PAIR;
    for (let panel: i32 = 0; panel < call.panels; panel++, sums += PAIR) {
      const none = f32x4.eq(v128.load(largestKeys() + (<usize>panel << 4)), splat(NONE));
      beyond += 4 - popcnt<i32>(i32x4.bitmask(v128.or(holds(f32x4.mul(v128.load(sums, 16), unit), LEAST), none)));
    }
  }
  return beyond;
}

/** Finishes `count` targets from `begin` on. What a product over all sources is relative to is `reference`, its least denominator `least`. */
export function finish(begin: i32, count: i32, reference: usize, least: f32, output: usize, context: usize, logNormalizer: usize): void {
  const tiled = space.tiled;
  const unit = powerOf(tiled ? -call.power : -2.0 * call.power);
  finished.redone = finished.beyond = 0;
  for (let b: i32 = 0; b < call.batch; b++) {
    for (let i: i32 = 0; i < count; i++) {
      const row = <usize>b * call.target + begin + i;
      const firstPanel = <usize>b * call.groups;
      const largestBias = v128.load32_splat((tiled ? tiles.rows : space.largest) + (<usize>i << 2));
      // Those of tiles stand panel by panel.
      const step: usize = tiled ? ROWS : 1;
      const place = tiled ? firstPanel * ROWS + i : <usize>call.panels * i + firstPanel;
      let sums = space.sums + place * PAIR;
      let level = space.levels + (place << 4);
      let at = firstPanel << 4;
      for (let g: i32 = 0; g < call.groups; g++, sums += PAIR * step, at += 16, level += step << 4) {
        const numerator = v128.load(sums);
        const product = v128.load(sums, 16);
        const denominator = f32x4.mul(product, unit);
        const held = v128.and(holds(denominator, tiled ? LEAST : least), f32x4.le(f32x4.abs(numerator), splat(1e38)));
        let mixed = f32x4.div(numerator, product);
        const largestKey = v128.load(largestKeys() + at);
        const lanes = g == call.groups - 1 ? 15 >> ((-call.dim) & 3) : 15;
        const some = i32x4.bitmask(held) & lanes;
        if (some != lanes) {
          mixDirectly(b, begin + i, g, biasRows.at + biasRows.step * i, largestKey);
          mixed = v128.bitselect(mixed, v128.load(direct.context), held);
          finished.redone += popcnt<i32>(lanes ^ some);
          if (!tiled) finished.beyond += popcnt<i32>((lanes ^ some) & i32x4.bitmask(f32x4.ne(v128.load(direct.denominator), splat(0.0))));
        }
        let shift = f32x4.sub(v128.load((tiled ? tiles.base : reference) + at), largestKey);
        if (tiled) {
          const toReference = f32x4.sub(v128.load(tiles.base + at), v128.load(reference + at));
          const whole = holds(f32x4.mul(denominator, expCall(f32x4.add(v128.load(level), toReference))), least);
          finished.beyond += popcnt<i32>(lanes & ~i32x4.bitmask(v128.or(whole, f32x4.eq(denominator, splat(0.0)))));
          shift = f32x4.add(v128.load(level), shift);
        }
        if (context != 0) {
          let logs = f32x4.add(f32x4.add(largestBias, shift), logCall(denominator));
          if (some != lanes) logs = v128.bitselect(logs, v128.load(direct.logNormalizer), held);
          storeChannels(context, row, g, mixed);
          storeChannels(logNormalizer, row, g, logs);
        }
        if (call.activation != NO_GATE) mixed = gated(mixed, loadChannels(call.query, row, g), call.activation);
        storeChannels(output, row, g, mixed);
      }
    }
  }
}
