// AFT-simple over all sources, and its gradient. Rows are contiguous, so time is the outer loop and channels are the lanes; what a
// channel accumulates stands in rows of `scratch`.
import { loadLanes, madd, maximum, splat, storeLanes } from '../../tensor-ops/assembly/math';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { expLanes, logLanes } from './lanes';
import { exists, fillNone, mean, NONE, SPAN } from './sources';

export { causalForward, causalBackward, causalScratchFloats } from './aft-simple-causal';

/** Floats of working memory that `forward` and `backward` need. */
export function scratchFloats(dim: i32): i32 {
  return 5 * dim;
}

// @ts-ignore: decorator
@inline
function largestStep(key: usize, largest: usize, n: i32): void {
  storeLanes(largest, maximum(loadLanes(largest, n), loadLanes(key, n)), n);
}

// @ts-ignore: decorator
@inline
function weighStep(key: usize, value: usize, largest: usize, numerator: usize, denominator: usize, n: i32): void {
  const weight = expLanes(f32x4.sub(loadLanes(key, n), loadLanes(largest, n)), n);
  storeLanes(numerator, madd(weight, loadLanes(value, n), loadLanes(numerator, n)), n);
  storeLanes(denominator, f32x4.add(loadLanes(denominator, n), weight), n);
}

/** Moves a partial sum into its total. */
// @ts-ignore: decorator
@inline
function closeStep(total: usize, partial: usize, n: i32): void {
  storeLanes(total, f32x4.add(loadLanes(total, n), loadLanes(partial, n)), n);
  storeLanes(partial, splat(0.0), n);
}

function close(total: usize, partial: usize, rowBytes: usize): void {
  const body = rowBytes & ~15;
  for (let i: usize = 0; i < body; i += 16) closeStep(total + i, partial + i, 4);
  for (let i = body; i < rowBytes; i += 4) closeStep(total + i, partial + i, 1);
}

// @ts-ignore: decorator
@inline
function contextStep(numerator: usize, denominator: usize, largest: usize, logNormalizer: usize, n: i32): void {
  const total = loadLanes(denominator, n);
  storeLanes(numerator, mean(loadLanes(numerator, n), total), n);
  if (logNormalizer == 0) return;
  const sum = f32x4.add(loadLanes(largest, n), logLanes(total, n));
  storeLanes(logNormalizer, v128.bitselect(splat(NONE), sum, f32x4.eq(total, splat(0.0))), n);
}

// @ts-ignore: decorator
@inline
function gateStep(query: usize, context: usize, output: usize, activation: i32, n: i32): void {
  let mixed = loadLanes(context, n);
  if (activation != NO_GATE) {
    const q = loadLanes(query, n);
    mixed = f32x4.mul(mixed, gateOf(q, gateExponential(q, activation, n), activation));
  }
  storeLanes(output, mixed, n);
}

/** `context` and `logNormalizer`, `[batch, dim]`, may be 0: then they are not wanted. */
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
  const rowBytes = <usize>dim << 2;
  const body = rowBytes & ~15;
  const largest = scratch;
  const numerator = scratch + rowBytes;
  const denominator = numerator + rowBytes;
  const partialNumerator = denominator + rowBytes;
  const partialDenominator = partialNumerator + rowBytes;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    fillNone(largest, rowBytes);
    memory.fill(numerator, 0, 4 * rowBytes);
    for (let t: i32 = 0; t < time; t++) {
      if (!exists(mask, first + t)) continue;
      const row = (first + t) * rowBytes;
      for (let i: usize = 0; i < body; i += 16) largestStep(key + row + i, largest + i, 4);
      for (let i = body; i < rowBytes; i += 4) largestStep(key + row + i, largest + i, 1);
    }
    for (let t: i32 = 0; t < time; t++) {
      if (exists(mask, first + t)) {
        const row = (first + t) * rowBytes;
        for (let i: usize = 0; i < body; i += 16) {
          weighStep(key + row + i, value + row + i, largest + i, partialNumerator + i, partialDenominator + i, 4);
        }
        for (let i = body; i < rowBytes; i += 4) {
          weighStep(key + row + i, value + row + i, largest + i, partialNumerator + i, partialDenominator + i, 1);
        }
      }
      if (t % SPAN == SPAN - 1 || t == time - 1) {
        close(numerator, partialNumerator, rowBytes);
        close(denominator, partialDenominator, rowBytes);
      }
    }
    const normalizer = logNormalizer == 0 ? 0 : logNormalizer + <usize>b * rowBytes;
    for (let i: usize = 0; i < body; i += 16) {
      contextStep(numerator + i, denominator + i, largest + i, normalizer == 0 ? 0 : normalizer + i, 4);
    }
    for (let i = body; i < rowBytes; i += 4) {
      contextStep(numerator + i, denominator + i, largest + i, normalizer == 0 ? 0 : normalizer + i, 1);
    }
    if (context != 0) memory.copy(context + <usize>b * rowBytes, numerator, rowBytes);
    for (let t: i32 = 0; t < time; t++) {
      const row = (first + t) * rowBytes;
      for (let i: usize = 0; i < body; i += 16) gateStep(query + row + i, numerator + i, output + row + i, activation, 4);
      for (let i = body; i < rowBytes; i += 4) gateStep(query + row + i, numerator + i, output + row + i, activation, 1);
    }
  }
}

/** The gradient of the query, and the sum over targets of what reaches the context. */
// @ts-ignore: decorator
@inline
function receiveStep(query: usize, context: usize, dOutput: usize, dQuery: usize, partial: usize, activation: i32, n: i32): void {
  let received = loadLanes(dOutput, n);
  let slope = splat(0.0);
  if (activation != NO_GATE) {
    const q = loadLanes(query, n);
    const exponential = gateExponential(q, activation, n);
    const gate = gateOf(q, exponential, activation);
    slope = f32x4.mul(f32x4.mul(received, loadLanes(context, n)), gateSlope(q, exponential, gate, activation));
    received = f32x4.mul(received, gate);
  }
  storeLanes(dQuery, slope, n);
  storeLanes(partial, f32x4.add(loadLanes(partial, n), received), n);
}

// @ts-ignore: decorator
@inline
function sourceStep(
  key: usize,
  value: usize,
  context: usize,
  logNormalizer: usize,
  received: usize,
  dKey: usize,
  dValue: usize,
  n: i32,
): void {
  const weight = expLanes(f32x4.sub(loadLanes(key, n), loadLanes(logNormalizer, n)), n);
  const gradient = f32x4.mul(weight, loadLanes(received, n));
  storeLanes(dValue, gradient, n);
  storeLanes(dKey, f32x4.mul(gradient, f32x4.sub(loadLanes(value, n), loadLanes(context, n))), n);
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
  const rowBytes = <usize>dim << 2;
  const body = rowBytes & ~15;
  const received = scratch;
  const partial = scratch + rowBytes;
  for (let b: i32 = 0; b < batch; b++) {
    const first = <usize>b * <usize>time;
    const mixed = context + <usize>b * rowBytes;
    const normalizer = logNormalizer + <usize>b * rowBytes;
    memory.fill(received, 0, 2 * rowBytes);
    for (let t: i32 = 0; t < time; t++) {
      const row = (first + t) * rowBytes;
      for (let i: usize = 0; i < body; i += 16) {
        receiveStep(query + row + i, mixed + i, dOutput + row + i, dQuery + row + i, partial + i, activation, 4);
      }
      for (let i = body; i < rowBytes; i += 4) {
        receiveStep(query + row + i, mixed + i, dOutput + row + i, dQuery + row + i, partial + i, activation, 1);
      }
      if (t % SPAN == SPAN - 1 || t == time - 1) close(received, partial, rowBytes);
    }
    for (let t: i32 = 0; t < time; t++) {
      const row = (first + t) * rowBytes;
      if (!exists(mask, first + t)) {
        memory.fill(dKey + row, 0, rowBytes);
        memory.fill(dValue + row, 0, rowBytes);
        continue;
      }
      for (let i: usize = 0; i < body; i += 16) {
        sourceStep(key + row + i, value + row + i, mixed + i, normalizer + i, received + i, dKey + row + i, dValue + row + i, 4);
      }
      for (let i = body; i < rowBytes; i += 4) {
        sourceStep(key + row + i, value + row + i, mixed + i, normalizer + i, received + i, dKey + row + i, dValue + row + i, 1);
      }
    }
  }
}
