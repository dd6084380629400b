// The rows of a tile: what sources bring to the sums of the forward, what targets bring to those of the backward, and what is made of the sums.
import { exp, loadLanes, madd, splat, storeLanes, sumLanes } from '../../tensor-ops/assembly/math';
import {
  activation,
  firstChannel,
  firstHead,
  headChannels,
  headDim,
  heads,
  isFurtherPart,
  positions,
  received,
  row,
  scalarBytes,
  slot,
  tail,
  tileHeads,
} from './conv-call';
import { gated, gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { expCall, logCall } from './slots';
import { exists, logNormalizerOf, NONE } from './sources';

/** Whether rows are targets, from the last to the first: then the sums are those of the gradient. */
export let isBackward: bool = false;

export function setDirection(backward: bool): void {
  isBackward = backward;
}

// Addresses of the batch entry at work. Those of the window are 0 unless the call continues an earlier one, whose memory then holds it.
let query: usize = 0;
let key: usize = 0;
let value: usize = 0;
let mask: usize = 0;
let windowKey: usize = 0;
let windowValue: usize = 0;
let context: usize = 0;
let logNormalizer: usize = 0;
let logRest: usize = 0;
let output: usize = 0;
let dOutput: usize = 0;
let dQuery: usize = 0;
let dKey: usize = 0;
let dValue: usize = 0;
let dWindowKey: usize = 0;
let dWindowValue: usize = 0;
let dFinalKey: usize = 0;
let dFinalValue: usize = 0;

// @ts-ignore: decorator
@inline
function entry(pointer: usize, floats: usize): usize {
  return pointer == 0 ? 0 : pointer + (floats << 2);
}

// A row of memory holds the largest key of each head among the sources that have left the window, then relative to it numerators, then denominators, then
// the keys of the window and its values. The key of what does not exist is NONE.

// @ts-ignore: decorator
@inline
export function numerators(): usize {
  return <usize>heads << 2;
}

// @ts-ignore: decorator
@inline
export function denominators(): usize {
  return <usize>(heads + heads * headDim) << 2;
}

/** The memory of batch entry `b`, 0 for none. */
export function memoryOf(memories: usize, b: usize): usize {
  return entry(memories, b * <usize>(2 * heads + heads * headDim + tail * (heads + heads * headDim)));
}

export function windowKeys(memory: usize): usize {
  return entry(memory, <usize>(2 * heads + heads * headDim));
}

export function windowValues(memory: usize): usize {
  return entry(memory, <usize>(2 * heads + heads * headDim + tail * heads));
}

export function placeSources(b: usize, keys: usize, values: usize, masks: usize, memories: usize): void {
  const time = <usize>(positions - tail);
  key = entry(keys, b * time * heads);
  value = entry(values, b * time * <usize>(heads * headDim));
  mask = entry(masks, b * time);
  windowKey = windowKeys(memoryOf(memories, b));
  windowValue = windowValues(memoryOf(memories, b));
}

export function placeForward(b: usize, queries: usize, outputs: usize, contexts: usize, logNormalizers: usize, logRests: usize): void {
  const time = <usize>(positions - tail);
  const dim = <usize>(heads * headDim);
  query = entry(queries, b * time * dim);
  output = entry(outputs, b * time * dim);
  context = entry(contexts, b * time * dim);
  logNormalizer = entry(logNormalizers, b * time * heads);
  logRest = entry(logRests, b * time * heads);
}

export function placeBackward(
  b: usize,
  dOutputs: usize,
  dQueries: usize,
  dKeys: usize,
  dValues: usize,
  dMemories: usize,
  dFinalMemories: usize,
): void {
  const time = <usize>(positions - tail);
  const dim = <usize>(heads * headDim);
  dOutput = entry(dOutputs, b * time * dim);
  dQuery = entry(dQueries, b * time * dim);
  dKey = entry(dKeys, b * time * heads);
  dValue = entry(dValues, b * time * dim);
  dWindowKey = windowKeys(memoryOf(dMemories, b));
  dWindowValue = windowValues(memoryOf(dMemories, b));
  dFinalKey = windowKeys(memoryOf(dFinalMemories, b));
  dFinalValue = windowValues(memoryOf(dFinalMemories, b));
}

/** The address of a place among the heads or channels of a tensor; `before` holds the places of the tail. */
// @ts-ignore: decorator
@inline
function at(tensor: usize, before: usize, place: i32, stride: i32, offset: i32): usize {
  const index = place < tail ? place : place - tail;
  return (place < tail ? before : tensor) + (<usize>(index * stride + offset) << 2);
}

export function keyAt(place: i32): usize {
  return at(key, windowKey, place, heads, firstHead);
}

export function valueAt(place: i32): usize {
  return at(value, windowValue, place, heads * headDim, firstChannel);
}

export function existsAt(place: i32): bool {
  // A NaN exists.
  return place < tail ? !(load<f32>(windowKey + (<usize>(place * heads) << 2)) <= NONE / 2) : exists(mask, place - tail);
}

/** Scales the channels of each head by a number of its own. Stores up to three lanes past the last. */
export function scaleHeads(factors: usize, source: usize, target: usize): void {
  if (headChannels == 1) {
    for (let h: i32 = 0; h < tileHeads; h += 4) {
      const i = <usize>h << 2;
      v128.store(target + i, f32x4.mul(v128.load(factors + i), loadLanes(source + i, tileHeads - h)));
    }
    return;
  }
  for (let h: i32 = 0; h < tileHeads; h++) {
    const factor = v128.load32_splat(factors + (<usize>h << 2));
    for (let c: i32 = 0; c < headChannels; c += 4) {
      const i = <usize>c << 2;
      v128.store(target + i, f32x4.mul(factor, loadLanes(source + i, headChannels - c)));
    }
    source += <usize>headChannels << 2;
    target += <usize>headChannels << 2;
  }
}

/** The products of a and b, summed over the channels of each head, added to `target` or in its place. Stores up to three lanes past the last. */
export function dotHeads(a: usize, b: usize, target: usize, adds: bool): void {
  if (headChannels == 1) {
    for (let h: i32 = 0; h < tileHeads; h += 4) {
      const i = <usize>h << 2;
      let product = f32x4.mul(loadLanes(a + i, tileHeads - h), loadLanes(b + i, tileHeads - h));
      if (adds) product = f32x4.add(product, v128.load(target + i));
      v128.store(target + i, product);
    }
    return;
  }
  for (let h: i32 = 0; h < tileHeads; h++) {
    let sum = splat(0.0);
    for (let c: i32 = 0; c < headChannels; c += 4) {
      const i = <usize>c << 2;
      sum = madd(loadLanes(a + i, headChannels - c), loadLanes(b + i, headChannels - c), sum);
    }
    store<f32>(target, adds ? sumLanes(sum) + load<f32>(target) : sumLanes(sum));
    a += <usize>headChannels << 2;
    b += <usize>headChannels << 2;
    target += 4;
  }
}

/** The logs of an element's weights, per head, to `target`; false if there is no such element. */
export function elementLogs(i: i32, target: usize): bool {
  if (!isBackward) {
    if (!existsAt(i)) return false;
    const keys = keyAt(i);
    for (let h: i32 = 0; h < tileHeads; h += 4) {
      v128.store(target + (<usize>h << 2), loadLanes(keys + (<usize>h << 2), tileHeads - h));
    }
    return true;
  }
  const target0 = positions - 1 - i - tail;
  if (target0 < 0) return false;
  const logs = logNormalizer + (<usize>(target0 * heads + firstHead) << 2);
  if (load<f32>(logs) <= NONE / 2) return false;
  for (let h: i32 = 0; h < tileHeads; h += 4) {
    v128.store(target + (<usize>h << 2), f32x4.neg(loadLanes(logs + (<usize>h << 2), tileHeads - h)));
  }
  return true;
}

/** The row of an element, weighed relative to `references`. Rows are packed in ascending order, for the last lanes spill into the next row. */
export function packElement(i: i32, target: usize, references: usize): void {
  const weights = slot(0);
  if (!elementLogs(i, weights)) {
    memory.fill(target, 0, row);
    return;
  }
  v128.store(target + row - 16, splat(0.0));
  v128.store(target + row - 32, splat(0.0));
  const scalars = isBackward ? received + <usize>(positions - 1 - i - tail) * row : 0;
  for (let h: i32 = 0; h < tileHeads; h += 4) {
    const lane = <usize>h << 2;
    const weight = exp(f32x4.sub(v128.load(weights + lane), v128.load(references + lane)));
    v128.store(weights + lane, weight);
    v128.store(target + lane, isBackward ? f32x4.mul(weight, v128.load(scalars + lane)) : weight);
  }
  scaleHeads(weights, isBackward ? scalars + scalarBytes() : valueAt(i), target + scalarBytes());
}

/** The row of an element without its weight, for one head; returns the log of the weight, NONE if there is no such element. */
export function plainElement(i: i32, target: usize): f32 {
  const log = slot(0);
  if (!elementLogs(i, log)) return NONE;
  memory.fill(target, 0, row);
  if (isBackward) {
    memory.copy(target, received + <usize>(positions - 1 - i - tail) * row, row);
  } else {
    store<f32>(target, 1.0);
    memory.copy(target + 4, valueAt(i), <usize>headChannels << 2);
  }
  return load<f32>(log);
}

/** What a target receives, with what rounding took from its normaliser: minus the sum of g times context per head, and g; and the query's gradient. */
export function packReceived(): void {
  const time = positions - tail;
  for (let t: i32 = 0; t < time; t++) {
    const target = received + <usize>t * row;
    const place = <usize>(t * heads * headDim + firstChannel) << 2;
    const channels = tileHeads * headChannels;
    v128.store(target + row - 16, splat(0.0));
    v128.store(target + row - 32, splat(0.0));
    const factors = slot(0);
    const given = slot(1);
    for (let h: i32 = 0; h < tileHeads; h += 4) {
      const rest = loadLanes(logRest + (<usize>(t * heads + firstHead + h) << 2), tileHeads - h);
      v128.store(factors + (<usize>h << 2), expCall(f32x4.neg(rest)));
    }
    for (let c: i32 = 0; c < channels; c += 4) {
      const i = <usize>c << 2;
      const lanes = channels - c;
      let gradient = loadLanes(dOutput + place + i, lanes);
      let slope = splat(0.0);
      if (activation != NO_GATE) {
        const q = loadLanes(query + place + i, lanes);
        const exponential = gateExponential(q, activation);
        const gate = gateOf(q, exponential, activation);
        slope = f32x4.mul(gradient, loadLanes(context + place + i, lanes));
        slope = f32x4.mul(slope, gateSlope(q, exponential, gate, activation));
        gradient = f32x4.mul(gradient, gate);
      }
      storeLanes(dQuery + place + i, slope, lanes);
      v128.store(given + i, gradient);
    }
    scaleHeads(factors, given, target + scalarBytes());
    const sums = slot(0);
    dotHeads(target + scalarBytes(), context + place, sums, false);
    for (let h: i32 = 0; h < tileHeads; h++) {
      store<f32>(target + (<usize>h << 2), -load<f32>(sums + (<usize>h << 2)));
    }
  }
}

/** Output, context and log-normaliser of a target from its sums. */
function finishTarget(t: i32, sums: usize, references: usize): void {
  const inverse = slot(0);
  const mixed = slot(1);
  const logs = (t * heads + firstHead) << 2;
  for (let h: i32 = 0; h < tileHeads; h += 4) {
    const lane = <usize>h << 2;
    const denominator = v128.load(sums + lane);
    const isEmpty = f32x4.eq(denominator, splat(0.0));
    v128.store(inverse + lane, v128.andnot(f32x4.div(splat(1.0), denominator), isEmpty));
    if (logNormalizer == 0) continue;
    const reference = v128.load(references + lane);
    const relative = logCall(denominator);
    const log = logNormalizerOf(reference, denominator, relative);
    storeLanes(logNormalizer + logs + lane, log, tileHeads - h);
    // What rounding takes from the sum: the gradient's weights are e^-(log + rest), and at 1e4 a float32 is too coarse for them.
    const taken = f32x4.sub(log, reference);
    const rest = f32x4.add(f32x4.sub(reference, f32x4.sub(log, taken)), f32x4.sub(relative, taken));
    storeLanes(logRest + logs + lane, v128.andnot(rest, isEmpty), tileHeads - h);
  }
  scaleHeads(inverse, sums + scalarBytes(), mixed);
  const channels = tileHeads * headChannels;
  const place = <usize>(t * heads * headDim + firstChannel) << 2;
  for (let c: i32 = 0; c < channels; c += 4) {
    const i = <usize>c << 2;
    let mean = v128.load(mixed + i);
    if (context != 0) storeLanes(context + place + i, mean, channels - c);
    if (activation != NO_GATE) mean = gated(mean, loadLanes(query + place + i, channels - c), activation);
    storeLanes(output + place + i, mean, channels - c);
  }
}

/** Adds the gradient that reached a source as part of the state after the call. */
function addKept(gradient: usize, kept: usize, count: i32): void {
  for (let c: i32 = 0; c < count; c += 4) {
    const i = <usize>c << 2;
    storeLanes(gradient + i, f32x4.add(loadLanes(gradient + i, count - c), loadLanes(kept + i, count - c)), count - c);
  }
}

/** The gradients of a source from the sums over its targets. */
function finishSource(place: i32, sums: usize, references: usize): void {
  const channels = tileHeads * headChannels;
  const dKeys = at(dKey, dWindowKey, place, heads, firstHead);
  const dValues = at(dValue, dWindowValue, place, heads * headDim, firstChannel);
  if (!existsAt(place)) {
    memory.fill(dKeys, 0, scalarBytes());
    memory.fill(dValues, 0, <usize>channels << 2);
    return;
  }
  const keys = keyAt(place);
  const weights = slot(0);
  const dots = slot(1);
  for (let h: i32 = 0; h < tileHeads; h += 4) {
    const lane = <usize>h << 2;
    v128.store(weights + lane, expCall(f32x4.add(loadLanes(keys + lane, tileHeads - h), v128.load(references + lane))));
    v128.store(dots + lane, v128.load(sums + lane));
  }
  dotHeads(valueAt(place), sums + scalarBytes(), dots, true);
  for (let h: i32 = 0; h < tileHeads; h += 4) {
    const lane = <usize>h << 2;
    let gradient = f32x4.mul(v128.load(weights + lane), v128.load(dots + lane));
    if (isFurtherPart) gradient = f32x4.add(gradient, loadLanes(dKeys + lane, tileHeads - h));
    storeLanes(dKeys + lane, gradient, tileHeads - h);
  }
  const scaled = slot(1);
  scaleHeads(weights, sums + scalarBytes(), scaled);
  for (let c: i32 = 0; c < channels; c += 4) {
    const i = <usize>c << 2;
    storeLanes(dValues + i, v128.load(scaled + i), channels - c);
  }
  const keptPlace = place - (positions - tail);
  if (dFinalKey == 0 || keptPlace < 0) return;
  if (!isFurtherPart) addKept(dKeys, dFinalKey + (<usize>(keptPlace * heads + firstHead) << 2), tileHeads);
  addKept(dValues, dFinalValue + (<usize>(keptPlace * heads * headDim + firstChannel) << 2), channels);
}

/** What is made of the sums of an element's place, which are relative to `references`. */
export function finishElement(i: i32, sums: usize, references: usize): void {
  if (isBackward) finishSource(positions - 1 - i, sums, references);
  else if (i >= tail) finishTarget(i - tail, sums, references);
}
