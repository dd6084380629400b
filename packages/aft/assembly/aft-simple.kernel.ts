// AFT-simple over all sources, and its gradient. Rows are contiguous, so time is the outer loop and channels are the lanes.
import { expNegative, madd, maximum, splat } from '../../tensor-ops/assembly/math';
import { gated, gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { clearSlots, expCall, logCall, SLOT, slotBytes } from './slots';
import { closesSpan, exists, logNormalizerOf, mean, SPAN } from './sources';

export { causalForward, causalBackward } from './aft-simple-causal';
export { copyRows } from './slots';

/** Bytes of working memory that each function here needs. */
export function scratchBytes(dim: i32): usize {
  return slotBytes(dim);
}

// A slot of `forward`. LARGEST comes first; the context takes the place of the numerator.
const LARGEST: usize = 0;
const NUMERATOR: usize = 16;
const DENOMINATOR: usize = 32;
const SPAN_NUMERATOR: usize = 48;
const SPAN_DENOMINATOR: usize = 64;
const LARGEST_BEFORE: usize = 80;

/** `context` and `logNormalizer`, `[batch, dim]`, are both 0 when they are not wanted. */
export function forward(
  query: usize,
  key: usize,
  value: usize,
  mask: usize,
  output: usize,
  context: usize,
  logNormalizer: usize,
  slots: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const row = <usize>dim << 2;
  const last = row - 16;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    clearSlots(slots, dim);
    // Span by span, so that the keys come from the cache when they are read again for their weights.
    for (let begin: i32 = 0; begin < time; begin += SPAN) {
      const end = min(begin + SPAN, time);
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) v128.store(s, v128.load(s, LARGEST), LARGEST_BEFORE);
      for (let t = begin; t < end; t++) {
        if (!exists(mask, first + t)) continue;
        const keys = key + (first + t) * row;
        for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
          v128.store(s, maximum(v128.load(s, LARGEST), v128.load(keys + min(c, last))), LARGEST);
        }
      }
      let t = begin;
      // Two rows at a time, where both are sure to exist: half the traffic between registers and slots.
      for (const paired = mask == 0 ? end - 1 : begin; t < paired; t += 2) {
        const start = (first + t) * row;
        for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
          const i = start + min(c, last);
          const largest = v128.load(s, LARGEST);
          const weight = expNegative(f32x4.sub(v128.load(key + i), largest));
          const next = expNegative(f32x4.sub(v128.load(key + i + row), largest));
          const sum = madd(weight, v128.load(value + i), v128.load(s, SPAN_NUMERATOR));
          v128.store(s, madd(next, v128.load(value + i + row), sum), SPAN_NUMERATOR);
          v128.store(s, f32x4.add(v128.load(s, SPAN_DENOMINATOR), f32x4.add(weight, next)), SPAN_DENOMINATOR);
        }
      }
      for (; t < end; t++) {
        if (!exists(mask, first + t)) continue;
        const start = (first + t) * row;
        for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
          const i = start + min(c, last);
          const weight = expNegative(f32x4.sub(v128.load(key + i), v128.load(s, LARGEST)));
          v128.store(s, madd(weight, v128.load(value + i), v128.load(s, SPAN_NUMERATOR)), SPAN_NUMERATOR);
          v128.store(s, f32x4.add(v128.load(s, SPAN_DENOMINATOR), weight), SPAN_DENOMINATOR);
        }
      }
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        const keep = expCall(f32x4.sub(v128.load(s, LARGEST_BEFORE), v128.load(s, LARGEST)));
        v128.store(s, madd(v128.load(s, NUMERATOR), keep, v128.load(s, SPAN_NUMERATOR)), NUMERATOR);
        v128.store(s, madd(v128.load(s, DENOMINATOR), keep, v128.load(s, SPAN_DENOMINATOR)), DENOMINATOR);
        v128.store(s, splat(0.0), SPAN_NUMERATOR);
        v128.store(s, splat(0.0), SPAN_DENOMINATOR);
      }
    }
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
      const total = v128.load(s, DENOMINATOR);
      const mixed = mean(v128.load(s, NUMERATOR), total);
      v128.store(s, mixed, NUMERATOR);
      if (context == 0) continue;
      const i = <usize>b * row + min(c, last);
      v128.store(context + i, mixed);
      v128.store(logNormalizer + i, logNormalizerOf(v128.load(s, LARGEST), total, logCall(total)));
    }
    for (let t: i32 = 0; t < time; t++) {
      const start = (first + t) * row;
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        const i = start + min(c, last);
        let mixed = v128.load(s, NUMERATOR);
        if (activation != NO_GATE) mixed = gated(mixed, v128.load(query + i), activation);
        v128.store(output + i, mixed);
      }
    }
  }
}

// A slot of `backward`: what reaches the context, summed over targets, of all spans and of this one; context and normalizer.
const RECEIVED: usize = 0;
const SPAN_RECEIVED: usize = 16;
const CONTEXT: usize = 32;
const NORMALIZER: usize = 48;

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
  slots: usize,
  batch: i32,
  time: i32,
  dim: i32,
  activation: i32,
): void {
  const row = <usize>dim << 2;
  const last = row - 16;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
      const i = <usize>b * row + min(c, last);
      v128.store(s, splat(0.0), RECEIVED);
      v128.store(s, splat(0.0), SPAN_RECEIVED);
      v128.store(s, v128.load(context + i), CONTEXT);
      v128.store(s, v128.load(logNormalizer + i), NORMALIZER);
    }
    for (let t: i32 = 0; t < time; t++) {
      const start = (first + t) * row;
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        const i = start + min(c, last);
        let gradient = v128.load(dOutput + i);
        let slope = splat(0.0);
        if (activation != NO_GATE) {
          const q = v128.load(query + i);
          const exponential = gateExponential(q, activation);
          const gate = gateOf(q, exponential, activation);
          slope = f32x4.mul(f32x4.mul(gradient, v128.load(s, CONTEXT)), gateSlope(q, exponential, gate, activation));
          gradient = f32x4.mul(gradient, gate);
        }
        v128.store(dQuery + i, slope);
        v128.store(s, f32x4.add(v128.load(s, SPAN_RECEIVED), gradient), SPAN_RECEIVED);
      }
      if (!closesSpan(t, time)) continue;
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        v128.store(s, f32x4.add(v128.load(s, RECEIVED), v128.load(s, SPAN_RECEIVED)), RECEIVED);
        v128.store(s, splat(0.0), SPAN_RECEIVED);
      }
    }
    for (let t: i32 = 0; t < time; t++) {
      const start = (first + t) * row;
      if (!exists(mask, first + t)) {
        memory.fill(dKey + start, 0, row);
        memory.fill(dValue + start, 0, row);
        continue;
      }
      for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
        const i = start + min(c, last);
        const weight = expNegative(f32x4.sub(v128.load(key + i), v128.load(s, NORMALIZER)));
        const gradient = f32x4.mul(weight, v128.load(s, RECEIVED));
        v128.store(dValue + i, gradient);
        v128.store(dKey + i, f32x4.mul(gradient, f32x4.sub(v128.load(value + i), v128.load(s, CONTEXT))));
      }
    }
  }
}
