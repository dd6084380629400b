// Rows of any width from four channels on, in vectors of four. What a vector accumulates stands in a slot of six vectors, side by side, so that one address
// reaches all of it. The last vector of a row ends where the row ends, so it may take in channels of the one before: they are computed twice, in
// slots of their own, and stored twice alike. Narrower rows are widened before.
import { exp, log, splat, tanh } from '../../tensor-ops/assembly/math';
import { NONE } from './sources';

/** Bytes of a slot. */
export const SLOT: usize = 96;

/** Bytes of the slots of a row. */
// @ts-ignore: decorator
@inline
export function slotBytes(dim: i32): usize {
  return (<usize>(dim + 3) >> 2) * SLOT;
}

/** Clears the slots of a row, and sets the first vector of each to the key of no source. */
export function clearSlots(slots: usize, dim: i32): void {
  const bytes = slotBytes(dim);
  memory.fill(slots, 0, bytes);
  for (let s = slots; s < slots + bytes; s += SLOT) v128.store(s, splat(NONE));
}

/** Copies `rows` rows between two widths, in floats: widening leaves what it does not copy, narrowing drops it. */
export function copyRows(source: usize, sourceWidth: i32, target: usize, targetWidth: i32, rows: i32): void {
  const bytes = <usize>min(sourceWidth, targetWidth) << 2;
  for (let r: i32 = 0; r < rows; r++) {
    memory.copy(target + ((<usize>r * targetWidth) << 2), source + ((<usize>r * sourceWidth) << 2), bytes);
  }
}

/** e^x as a call, for what is not on a hot path: code is shipped, so it is kept short. */
export function expCall(x: v128): v128 {
  return exp(x);
}

export function logCall(x: v128): v128 {
  return log(x);
}

export function tanhCall(x: v128): v128 {
  return tanh(x);
}
