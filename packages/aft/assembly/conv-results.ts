// What is made of the sums of a tile: outputs, contexts and log-normalisers of targets, gradients of sources.
import { splat } from '../../tensor-ops/assembly/math';
import { activation, firstChannel, firstHead, headDim, heads, isFurtherPart, positions, scalarBytes, slot, tail } from './conv-call';
import { at, channelBytes, channelsOf, context, copied, dFinalKey, dFinalValue, dKey, dotHeads, dValue, dWindowKey, dWindowValue, existsAt, isBackward, keyAt, logNormalizer, logRest, logsOf, output, query, scaleHeads, valueAt } from './conv-rows';
import { gated, NO_GATE } from './gate';
import { expCall, logCall } from './slots';
import { logNormalizerOf } from './sources';

/** Output, context and log-normaliser of a target from its sums. */
function finishTarget(t: i32, sums: usize, references: usize): void {
  const inverse = slot(0);
  const mixed = slot(1);
  const logs = slot(12);
  const rests = slot(13);
  for (let h: usize = 0; h < scalarBytes(); h += 16) {
    const denominator = v128.load(sums + h);
    const isEmpty = f32x4.eq(denominator, splat(0.0));
    v128.store(inverse + h, v128.andnot(f32x4.div(splat(1.0), denominator), isEmpty));
    if (logNormalizer == 0) continue;
    const reference = v128.load(references + h);
    const relative = logCall(denominator);
    const log = logNormalizerOf(reference, denominator, relative);
    v128.store(logs + h, log);
    // What rounding takes from the sum: the gradient's weights are e^-(log + rest), and at 1e4 a float32 is too coarse for them.
    const taken = f32x4.sub(log, reference);
    const rest = f32x4.add(f32x4.sub(reference, f32x4.sub(log, taken)), f32x4.sub(relative, taken));
    v128.store(rests + h, v128.andnot(rest, isEmpty));
  }
  const place = channelsOf(t);
  scaleHeads(inverse, sums + scalarBytes(), mixed);
  if (logNormalizer != 0) {
    memory.copy(logNormalizer + logsOf(t), logs, scalarBytes());
    memory.copy(logRest + logsOf(t), rests, scalarBytes());
    memory.copy(context + place, mixed, channelBytes());
  }
  if (activation != NO_GATE) {
    const queries = copied(0, query + place);
    for (let i: usize = 0; i < channelBytes(); i += 16) {
      v128.store(mixed + i, gated(v128.load(mixed + i), v128.load(queries + i), activation));
    }
  }
  memory.copy(output + place, mixed, channelBytes());
}

/** Adds numbers to others. */
function addFloats(target: usize, source: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 4) store<f32>(target + i, load<f32>(target + i) + load<f32>(source + i));
}

/** The gradients of a source from the sums over its targets. */
function finishSource(place: i32, sums: usize, references: usize): void {
  const dKeys = at(dKey, dWindowKey, place, heads, firstHead);
  const dValues = at(dValue, dWindowValue, place, heads * headDim, firstChannel);
  if (!existsAt(place)) {
    memory.fill(dKeys, 0, scalarBytes());
    memory.fill(dValues, 0, channelBytes());
    return;
  }
  const weights = slot(0);
  const dots = slot(12);
  memory.copy(weights, keyAt(place), scalarBytes());
  for (let h: usize = 0; h < scalarBytes(); h += 16) {
    v128.store(weights + h, expCall(f32x4.add(v128.load(weights + h), v128.load(references + h))));
    v128.store(dots + h, v128.load(sums + h));
  }
  dotHeads(copied(1, valueAt(place)), sums + scalarBytes(), dots);
  for (let h: usize = 0; h < scalarBytes(); h += 16) v128.store(dots + h, f32x4.mul(v128.load(weights + h), v128.load(dots + h)));
  if (isFurtherPart) addFloats(dots, dKeys, scalarBytes());
  memory.copy(dKeys, dots, scalarBytes());
  scaleHeads(weights, sums + scalarBytes(), slot(1));
  memory.copy(dValues, slot(1), channelBytes());
  // What reached the source as part of the memory after the call.
  const kept = place - (positions - tail);
  if (dFinalKey == 0 || kept < 0) return;
  if (!isFurtherPart) addFloats(dKeys, dFinalKey + (<usize>(kept * heads + firstHead) << 2), scalarBytes());
  addFloats(dValues, dFinalValue + (<usize>(kept * heads * headDim + firstChannel) << 2), channelBytes());
}

/** What is made of the sums of an element's place, which are relative to `references`. */
export function finishElement(i: i32, sums: usize, references: usize): void {
  if (isBackward) finishSource(positions - 1 - i, sums, references);
  else if (i >= tail) finishTarget(i - tail, sums, references);
}
