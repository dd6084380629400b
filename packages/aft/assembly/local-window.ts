// The window of a target of AFT-local: its sources with their biases as a list, and their sums over all channels, source by source, so that rows are read
// from their beginning to their end and each is read once.
import { expNegative, madd, maximum, splat } from '../../tensor-ops/assembly/math';
import { firstSource, isPresent, keyOf, lastSource, row, step, table, valueOf } from './local-call';
import { clearSlots, expCall, SLOT, slotBytes } from './slots';
import { NONE, SPAN } from './sources';

// An entry of the list: addresses of keys and values, and the bias.
export const ENTRY: usize = 16;
const VALUE: usize = 4;
const BIAS: usize = 8;

// A slot of the sums: the largest key, which is the level, and relative to it and to the largest bias the numerator and the denominator. Where these lost
// terms they are made again, relative to the largest exponent, which stands beside them and is itself relative to both; 0 otherwise.
export const LEVEL: usize = 0;
export const NEAR_LARGEST: usize = 16;
export const NEAR_NUMERATOR: usize = 32;
export const NEAR_DENOMINATOR: usize = 48;
const SPAN_NUMERATOR: usize = 64;
const SPAN_DENOMINATOR: usize = 80;

/** Sums below this have lost terms. */
const LEAST_SUM: f32 = 1e-20;

export function listBytes(windowSize: i32): usize {
  return <usize>(2 * windowSize) * ENTRY;
}

/** Lists the sources in the window of target `t`; returns the end of the list. */
export function listSources(list: usize, b: i32, t: i32): usize {
  const last = lastSource(t);
  const biases = table + (<usize>(t * step) << 2);
  let entry = list;
  for (let i = firstSource(t); i < last; i++) {
    if (!isPresent(b, i)) continue;
    store<u32>(entry, <u32>keyOf(b, i));
    store<u32>(entry, <u32>valueOf(b, i), VALUE);
    store<f32>(entry, load<f32>(biases + (<usize>i << 2)), BIAS);
    entry += ENTRY;
  }
  return entry;
}

/** The largest bias of a list; 0 of an empty one. */
export function largestBias(list: usize, end: usize): f32 {
  let largest: f32 = end == list ? 0.0 : NONE;
  for (let entry = list; entry < end; entry += ENTRY) largest = max(largest, load<f32>(entry, BIAS));
  return largest;
}

/**
 * The sums of a list's sources in `slots`; `most` is their largest bias.
 *
 * @param moved - keys and values of the sources before this entry, a multiple of four, are copied meanwhile by `distance` bytes: while exponentials are
 *   computed that costs next to nothing.
 */
export function windowSums(list: usize, end: usize, dim: i32, most: f32, slots: usize, moved: usize, distance: usize): void {
  const last = row - 16;
  clearSlots(slots, dim);
  let entry = list;
  for (; entry + 3 * ENTRY < end; entry += 4 * ENTRY) {
    const first = load<u32>(entry);
    const second = load<u32>(entry, ENTRY);
    const third = load<u32>(entry, 2 * ENTRY);
    const fourth = load<u32>(entry, 3 * ENTRY);
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
      const at = min(c, last);
      const pair = maximum(v128.load(first + at), v128.load(second + at));
      v128.store(s, maximum(maximum(pair, maximum(v128.load(third + at), v128.load(fourth + at))), v128.load(s)));
    }
  }
  for (; entry < end; entry += ENTRY) {
    const keys = load<u32>(entry);
    for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) v128.store(s, maximum(v128.load(keys + min(c, last)), v128.load(s)));
  }
  for (let span = list; span < end; span += SPAN * ENTRY) {
    const spanEnd = min(end, span + SPAN * ENTRY);
    for (entry = span; entry + 3 * ENTRY < spanEnd; entry += 4 * ENTRY) addFour(entry, most, slots, entry < moved ? distance : 0);
    for (; entry < spanEnd; entry += ENTRY) addSource(entry, most, slots);
    for (let s = slots, after = slots + slotBytes(dim); s < after; s += SLOT) {
      v128.store(s, f32x4.add(v128.load(s, NEAR_NUMERATOR), v128.load(s, SPAN_NUMERATOR)), NEAR_NUMERATOR);
      v128.store(s, f32x4.add(v128.load(s, NEAR_DENOMINATOR), v128.load(s, SPAN_DENOMINATOR)), NEAR_DENOMINATOR);
      v128.store(s, splat(0.0), SPAN_NUMERATOR);
      v128.store(s, splat(0.0), SPAN_DENOMINATOR);
    }
  }
}

/** Adds one source to the sums of the span. */
function addSource(entry: usize, most: f32, slots: usize): void {
  const last = row - 16;
  const keys = load<u32>(entry);
  const values = load<u32>(entry, VALUE);
  const bias = splat(load<f32>(entry, BIAS) - most);
  for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
    const at = min(c, last);
    const weight = expNegative(f32x4.add(f32x4.sub(v128.load(keys + at), v128.load(s, LEVEL)), bias));
    v128.store(s, madd(weight, v128.load(values + at), v128.load(s, SPAN_NUMERATOR)), SPAN_NUMERATOR);
    v128.store(s, f32x4.add(v128.load(s, SPAN_DENOMINATOR), weight), SPAN_DENOMINATOR);
  }
}

/** Adds four sources at once: what an exponential needs is then in registers for all of them. */
function addFour(entry: usize, most: f32, slots: usize, distance: usize): void {
  const last = row - 16;
  const keys0 = load<u32>(entry, ENTRY * 0);
  const keys1 = load<u32>(entry, ENTRY * 1);
  const keys2 = load<u32>(entry, ENTRY * 2);
  const keys3 = load<u32>(entry, ENTRY * 3);
  const values0 = load<u32>(entry, ENTRY * 0 + VALUE);
  const values1 = load<u32>(entry, ENTRY * 1 + VALUE);
  const values2 = load<u32>(entry, ENTRY * 2 + VALUE);
  const values3 = load<u32>(entry, ENTRY * 3 + VALUE);
  const bias0 = splat(load<f32>(entry, ENTRY * 0 + BIAS) - most);
  const bias1 = splat(load<f32>(entry, ENTRY * 1 + BIAS) - most);
  const bias2 = splat(load<f32>(entry, ENTRY * 2 + BIAS) - most);
  const bias3 = splat(load<f32>(entry, ENTRY * 3 + BIAS) - most);
  for (let c: usize = 0, s = slots; c < row; c += 16, s += SLOT) {
    const at = min(c, last);
    const level = v128.load(s, LEVEL);
    let numerator = v128.load(s, SPAN_NUMERATOR);
    let denominator = v128.load(s, SPAN_DENOMINATOR);
    const key0 = v128.load(keys0 + at), value0 = v128.load(values0 + at);
    const key1 = v128.load(keys1 + at), value1 = v128.load(values1 + at);
    const key2 = v128.load(keys2 + at), value2 = v128.load(values2 + at);
    const key3 = v128.load(keys3 + at), value3 = v128.load(values3 + at);
    let weight = expNegative(f32x4.add(f32x4.sub(key0, level), bias0));
    numerator = madd(weight, value0, numerator);
    denominator = f32x4.add(denominator, weight);
    weight = expNegative(f32x4.add(f32x4.sub(key1, level), bias1));
    numerator = madd(weight, value1, numerator);
    denominator = f32x4.add(denominator, weight);
    weight = expNegative(f32x4.add(f32x4.sub(key2, level), bias2));
    numerator = madd(weight, value2, numerator);
    denominator = f32x4.add(denominator, weight);
    weight = expNegative(f32x4.add(f32x4.sub(key3, level), bias3));
    numerator = madd(weight, value3, numerator);
    denominator = f32x4.add(denominator, weight);
    if (distance != 0) {
      v128.store(keys0 + at + distance, key0);
      v128.store(values0 + at + distance, value0);
      v128.store(keys1 + at + distance, key1);
      v128.store(values1 + at + distance, value1);
      v128.store(keys2 + at + distance, key2);
      v128.store(values2 + at + distance, value2);
      v128.store(keys3 + at + distance, key3);
      v128.store(values3 + at + distance, value3);
    }
    v128.store(s, numerator, SPAN_NUMERATOR);
    v128.store(s, denominator, SPAN_DENOMINATOR);
  }
}

/** Makes the sums of the four channels at `c` again where terms were lost. */
export function holdSums(list: usize, end: usize, c: usize, most: f32, s: usize): void {
  if (list == end || i32x4.all_true(f32x4.ge(v128.load(s, NEAR_DENOMINATOR), splat(LEAST_SUM)))) return;
  const level = v128.load(s);
  let largest = splat(NONE);
  for (let entry = list; entry < end; entry += ENTRY) largest = maximum(exponentOf(entry, c, level, most), largest);
  let numerator = splat(0.0);
  let denominator = splat(0.0);
  for (let span = list; span < end; span += SPAN * ENTRY) {
    const spanEnd = min(end, span + SPAN * ENTRY);
    let spanNumerator = splat(0.0);
    let spanDenominator = splat(0.0);
    for (let entry = span; entry < spanEnd; entry += ENTRY) {
      const weight = expCall(f32x4.sub(exponentOf(entry, c, level, most), largest));
      spanNumerator = madd(weight, v128.load(load<u32>(entry, VALUE) + c), spanNumerator);
      spanDenominator = f32x4.add(spanDenominator, weight);
    }
    numerator = f32x4.add(numerator, spanNumerator);
    denominator = f32x4.add(denominator, spanDenominator);
  }
  v128.store(s, largest, NEAR_LARGEST);
  v128.store(s, numerator, NEAR_NUMERATOR);
  v128.store(s, denominator, NEAR_DENOMINATOR);
}

// @ts-ignore: decorator
@inline
function exponentOf(entry: usize, c: usize, level: v128, most: f32): v128 {
  return f32x4.add(f32x4.sub(v128.load(load<u32>(entry) + c), level), splat(load<f32>(entry, BIAS) - most));
}
