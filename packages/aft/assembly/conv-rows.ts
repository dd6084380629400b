// The rows of a tile: what sources bring to the sums of the forward, what targets bring to those of the backward.
import { exp, madd, splat, sumLanes } from '../../tensor-ops/assembly/math';
import {
  activation,
  firstChannel,
  firstHead,
  headChannels,
  headDim,
  heads,
  positions,
  received,
  row,
  scalarBytes,
  slot,
  tail,
  tileHeads,
} from './conv-call';
import { gateExponential, gateOf, gateSlope, NO_GATE } from './gate';
import { exists, NONE } from './sources';

/** Whether rows are targets, from the last to the first: then the sums are those of the gradient. */
export let isBackward: bool = false;

export function setDirection(backward: bool): void {
  isBackward = backward;
}

// Addresses of the batch entry at work. Those of the window are 0 unless the call continues an earlier one, whose memory then holds it.
export let query: usize = 0;
let key: usize = 0;
let value: usize = 0;
let mask: usize = 0;
let windowKey: usize = 0;
let windowValue: usize = 0;
export let context: usize = 0;
export let logNormalizer: usize = 0;
export let logRest: usize = 0;
export let output: usize = 0;
let dOutput: usize = 0;
let dQuery: usize = 0;
export let dKey: usize = 0;
export let dValue: usize = 0;
export let dWindowKey: usize = 0;
export let dWindowValue: usize = 0;
export let dFinalKey: usize = 0;
export let dFinalValue: usize = 0;

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
export function at(tensor: usize, before: usize, place: i32, stride: i32, offset: i32): usize {
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

// @ts-ignore: decorator
@inline
export function channelBytes(): usize {
  return <usize>(tileHeads * headChannels) << 2;
}

/** Where the tile begins in the channels of a target, and in its heads. */
export function channelsOf(t: i32): usize {
  return <usize>(t * heads * headDim + firstChannel) << 2;
}

export function logsOf(t: i32): usize {
  return <usize>(t * heads + firstHead) << 2;
}

/**
 * Scales the channels of each head by a number of its own. Reads and stores up to three lanes past the last of a head, so neither row is one of a
 * tensor, and the next head's channels are stored over them.
 */
export function scaleHeads(factors: usize, source: usize, target: usize): void {
  if (headChannels == 1) {
    for (let i: usize = 0; i < scalarBytes(); i += 16) {
      v128.store(target + i, f32x4.mul(v128.load(factors + i), v128.load(source + i)));
    }
    return;
  }
  const bytes = <usize>headChannels << 2;
  for (let h: usize = 0; h < scalarBytes(); h += 4) {
    const factor = v128.load32_splat(factors + h);
    for (let i: usize = 0; i < bytes; i += 16) v128.store(target + i, f32x4.mul(factor, v128.load(source + i)));
    source += bytes;
    target += bytes;
  }
}

/** Adds the products of a and b, summed over the channels of each head, to `target`. As `scaleHeads`, it reads and stores past the last head. */
export function dotHeads(a: usize, b: usize, target: usize): void {
  if (headChannels == 1) {
    for (let i: usize = 0; i < scalarBytes(); i += 16) {
      v128.store(target + i, madd(v128.load(a + i), v128.load(b + i), v128.load(target + i)));
    }
    return;
  }
  const bytes = <usize>headChannels << 2;
  for (let h: usize = 0; h < scalarBytes(); h += 4) {
    let sum = splat(0.0);
    let i: usize = 0;
    for (; i + 16 <= bytes; i += 16) sum = madd(v128.load(a + i), v128.load(b + i), sum);
    let rest = sumLanes(sum) + load<f32>(target + h);
    for (; i < bytes; i += 4) rest += load<f32>(a + i) * load<f32>(b + i);
    store<f32>(target + h, rest);
    a += bytes;
    b += bytes;
  }
}

/** The logs of an element's weights, per head, to `target`; false if there is no such element. */
export function elementLogs(i: i32, target: usize): bool {
  if (!isBackward) {
    if (!existsAt(i)) return false;
    v128.store(target + ((scalarBytes() - 4) & -16), splat(0.0));
    memory.copy(target, keyAt(i), scalarBytes());
    return true;
  }
  const t = positions - 1 - i - tail;
  if (t < 0) return false;
  v128.store(target + ((scalarBytes() - 4) & -16), splat(0.0));
  memory.copy(target, logNormalizer + logsOf(t), scalarBytes());
  if (load<f32>(target) <= NONE / 2) return false;
  for (let h: usize = 0; h < scalarBytes(); h += 16) v128.store(target + h, f32x4.neg(v128.load(target + h)));
  return true;
}

/** A row of a tensor, copied so that what reads whole vectors stays within the scratch. */
export function copied(n: usize, source: usize): usize {
  memory.copy(slot(n), source, channelBytes());
  return slot(n);
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
  for (let h: usize = 0; h < scalarBytes(); h += 16) {
    const weight = exp(f32x4.sub(v128.load(weights + h), v128.load(references + h)));
    v128.store(weights + h, weight);
    v128.store(target + h, isBackward ? f32x4.mul(weight, v128.load(scalars + h)) : weight);
  }
  scaleHeads(weights, isBackward ? scalars + scalarBytes() : copied(1, valueAt(i)), target + scalarBytes());
}

/** The row of an element without its weight, for one head; returns the log of the weight, NONE if there is no such element. */
export function plainElement(i: i32, target: usize): f32 {
  const log = slot(0);
  if (!elementLogs(i, log)) return NONE;
  if (isBackward) {
    memory.copy(target, received + <usize>(positions - 1 - i - tail) * row, row);
  } else {
    memory.fill(target, 0, row);
    store<f32>(target, 1.0);
    memory.copy(target + 4, valueAt(i), channelBytes());
  }
  return load<f32>(log);
}

/** What a target receives, with what rounding took from its normaliser: minus the sum of g times context per head, and g; and the query's gradient. */
export function packReceived(): void {
  const time = positions - tail;
  const factors = slot(0);
  for (let t: i32 = 0; t < time; t++) {
    const target = received + <usize>t * row;
    const place = channelsOf(t);
    const contexts = copied(1, context + place);
    const gradients = copied(2, dOutput + place);
    const queries = slot(3);
    if (activation != NO_GATE) memory.copy(queries, query + place, channelBytes());
    for (let i: usize = 0; i < channelBytes(); i += 16) {
      const gradient = v128.load(gradients + i);
      let slope = splat(0.0);
      if (activation != NO_GATE) {
        const q = v128.load(queries + i);
        const exponential = gateExponential(q, activation);
        const gate = gateOf(q, exponential, activation);
        slope = f32x4.mul(f32x4.mul(gradient, v128.load(contexts + i)), gateSlope(q, exponential, gate, activation));
        v128.store(gradients + i, f32x4.mul(gradient, gate));
      }
      v128.store(queries + i, slope);
    }
    memory.copy(dQuery + place, queries, channelBytes());
    // e^-rest of a rest so small.
    memory.copy(factors, logRest + logsOf(t), scalarBytes());
    for (let h: usize = 0; h < scalarBytes(); h += 16) {
      const rest = v128.load(factors + h);
      v128.store(factors + h, madd(rest, f32x4.sub(f32x4.mul(rest, splat(0.5)), splat(1.0)), splat(1.0)));
    }
    memory.fill(target, 0, row);
    scaleHeads(factors, gradients, target + scalarBytes());
    const dots = slot(2);
    memory.fill(dots, 0, scalarBytes() + 16);
    dotHeads(target + scalarBytes(), contexts, dots);
    for (let h: usize = 0; h < scalarBytes(); h += 4) store<f32>(target + h, -load<f32>(dots + h));
  }
}
