// AFT-simple over all sources, and its gradient. Rows are contiguous, so time is the outer loop and channels are the lanes.
import { expNegative, madd, maximum, splat } from '../../tensor-ops/assembly/math';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { expCall, logCall, slotBytes, vectorAt } from './lanes';
import { closeSums, closesSpan, exists, fillNone, logNormalizerOf, mean, SPAN } from './sources';

export { causalForward, causalBackward } from './aft-simple-causal';
export { copyRows } from './lanes';

/** Bytes of working memory that each function here needs: six rows of slots. */
export function scratchBytes(dim: i32): usize {
  return 6 * slotBytes(dim);
}

/** `context` and `logNormalizer`, `[batch, dim]`, are both 0 when they are not wanted. */
export function forward(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  output: usize,
  context: usize,
  logNormalizer: usize,
  scratch: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const row = <usize>dim << 2;
  const slots = slotBytes(dim);
  const largest = scratch;
  const numerator = scratch + slots;
  const denominator = numerator + slots;
  const partials = denominator + slots;
  const before = partials + 2 * slots;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    fillNone(largest, slots);
    memory.fill(numerator, 0, 4 * slots);
    // Span by span, so that the keys come from the cache when they are read again for their weights.
    for (let begin: i32 = 0; begin < time; begin += SPAN) {
      const end = min(begin + SPAN, time);
      memory.copy(before, largest, slots);
      for (let t = begin; t < end; t++) {
        if (!exists(mask, first + t)) continue;
        const keys = key + (first + t) * row;
        for (let slot: usize = 0; slot < slots; slot += 16) {
          v128.store(largest + slot, maximum(v128.load(largest + slot), v128.load(keys + vectorAt(slot, dim))));
        }
      }
      for (let t = begin; t < end; t++) {
        if (!exists(mask, first + t)) continue;
        const start = (first + t) * row;
        for (let slot: usize = 0; slot < slots; slot += 16) {
          const i = start + vectorAt(slot, dim);
          const weight = expNegative(f32x4.sub(v128.load(key + i), v128.load(largest + slot)));
          v128.store(partials + slot, madd(weight, v128.load(value + i), v128.load(partials + slot)));
          v128.store(partials + slots + slot, f32x4.add(v128.load(partials + slots + slot), weight));
        }
      }
      for (let slot: usize = 0; slot < slots; slot += 16) {
        const keep = expCall(f32x4.sub(v128.load(before + slot), v128.load(largest + slot)));
        v128.store(numerator + slot, madd(v128.load(numerator + slot), keep, v128.load(partials + slot)));
        v128.store(denominator + slot, madd(v128.load(denominator + slot), keep, v128.load(partials + slots + slot)));
      }
      memory.fill(partials, 0, 2 * slots);
    }
    for (let slot: usize = 0; slot < slots; slot += 16) {
      const total = v128.load(denominator + slot);
      const mixed = mean(v128.load(numerator + slot), total);
      v128.store(numerator + slot, mixed);
      if (context == 0) continue;
      const i = <usize>b * row + vectorAt(slot, dim);
      v128.store(context + i, mixed);
      v128.store(logNormalizer + i, logNormalizerOf(v128.load(largest + slot), total, logCall(total)));
    }
    for (let t: i32 = 0; t < time; t++) {
      const begin = (first + t) * row;
      for (let slot: usize = 0; slot < slots; slot += 16) {
        const i = begin + vectorAt(slot, dim);
        let mixed = v128.load(numerator + slot);
        if (activation != NO_GATE) {
          const q = v128.load(query + i);
          mixed = f32x4.mul(mixed, gateOf(q, gateExponential(q, activation), activation));
        }
        v128.store(output + i, mixed);
      }
    }
  }
}

export function backward(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  context: usize,
  logNormalizer: usize,
  dOutput: usize,
  dQuery: usize,
  dKey: usize,
  dValue: usize,
  scratch: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const row = <usize>dim << 2;
  const slots = slotBytes(dim);
  // What reaches the context, summed over targets: one sum serves every source.
  const received = scratch;
  const partial = scratch + slots;
  const mixed = partial + slots;
  const normalizer = mixed + slots;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    memory.fill(received, 0, 2 * slots);
    for (let slot: usize = 0; slot < slots; slot += 16) {
      const i = <usize>b * row + vectorAt(slot, dim);
      v128.store(mixed + slot, v128.load(context + i));
      v128.store(normalizer + slot, v128.load(logNormalizer + i));
    }
    for (let t: i32 = 0; t < time; t++) {
      const begin = (first + t) * row;
      for (let slot: usize = 0; slot < slots; slot += 16) {
        const i = begin + vectorAt(slot, dim);
        let gradient = v128.load(dOutput + i);
        let slope = splat(0.0);
        if (activation != NO_GATE) {
          const q = v128.load(query + i);
          const exponential = gateExponential(q, activation);
          const gate = gateOf(q, exponential, activation);
          slope = f32x4.mul(f32x4.mul(gradient, v128.load(mixed + slot)), gateSlope(q, exponential, gate, activation));
          gradient = f32x4.mul(gradient, gate);
        }
        v128.store(dQuery + i, slope);
        v128.store(partial + slot, f32x4.add(v128.load(partial + slot), gradient));
      }
      if (closesSpan(t, time)) closeSums(received, partial, slots);
    }
    for (let t: i32 = 0; t < time; t++) {
      const begin = (first + t) * row;
      if (!exists(mask, first + t)) {
        memory.fill(dKey + begin, 0, row);
        memory.fill(dValue + begin, 0, row);
        continue;
      }
      for (let slot: usize = 0; slot < slots; slot += 16) {
        const i = begin + vectorAt(slot, dim);
        const weight = expNegative(f32x4.sub(v128.load(key + i), v128.load(normalizer + slot)));
        const gradient = f32x4.mul(weight, v128.load(received + slot));
        v128.store(dValue + i, gradient);
        v128.store(dKey + i, f32x4.mul(gradient, f32x4.sub(v128.load(value + i), v128.load(mixed + slot))));
      }
    }
  }
}
