// Rows of any width in vectors of four channels. What a row accumulates has a slot of four lanes per vector. The last vector of a row ends where the
// row ends, so it may take in channels of the one before: they are computed twice, in slots of their own, and stored twice alike.
// Narrower rows than four channels are widened before.
import { exp, log, tanh } from '../../tensor-ops/assembly/math';

/** Bytes that a row of slots takes. */
// @ts-ignore: decorator
@inline
export function slotBytes(dim: i32): usize {
  return ((<usize>dim + 3) & ~3) << 2;
}

/** Where in its row the vector of a slot begins, in bytes; a row has at least four channels. */
// @ts-ignore: decorator
@inline
export function vectorAt(slot: usize, dim: i32): usize {
  return min(slot, <usize>(dim - 4) << 2);
}

/** Copies `rows` rows between two widths, in floats: widening leaves what it does not copy, narrowing drops it. */
export function copyRows(source: usize, sourceWidth: i32, target: usize, targetWidth: i32, rows: i32): void {
  const bytes = <usize>min(sourceWidth, targetWidth) << 2;
  for (let r: i32 = 0; r < rows; r++) memory.copy(target + ((<usize>r * targetWidth) << 2), source + ((<usize>r * sourceWidth) << 2), bytes);
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
