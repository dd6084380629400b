import { OptionError } from '@mixfold/tensor-ops';

// An offset is target - source everywhere in this package: a positive one looks back.

/** Refuses what is no integer of at least `least`. */
function checkCount(functionName: string, name: string, value: unknown, least: number): void {
  if (Number.isSafeInteger(value) && (value as number) >= least) return;
  throw new OptionError(`${functionName}: ${name} must be an integer, ${least} or above, got ${String(value)}`);
}

/**
 * The offsets 0 to `count - 1`: a target reads itself and what is before it.
 *
 * @throws OptionError if `count` is no integer above 0.
 * @example
 * causalOffsets(3); // [0, 1, 2]
 */
export function causalOffsets(count: number): number[] {
  checkCount('causalOffsets', 'count', count, 1);
  return Array.from({ length: count }, (_, i) => i);
}

/**
 * `count` offsets around 0, in the order of the taps of a convolution that keeps the length ("same"): tap j of it reads `(j - floor((count - 1) / 2)) dilation`
 * later, so the offsets decrease.
 *
 * @param dilation - Steps between neighbouring taps. Default 1.
 * @throws OptionError if either is no integer above 0.
 * @example
 * symmetricOffsets(3); // [1, 0, -1]
 * symmetricOffsets(4, 2); // [2, 0, -2, -4]
 */
export function symmetricOffsets(count: number, dilation = 1): number[] {
  checkCount('symmetricOffsets', 'count', count, 1);
  checkCount('symmetricOffsets', 'dilation', dilation, 1);
  const center = Math.floor((count - 1) / 2);
  return Array.from({ length: count }, (_, tap) => dilation * (center - tap));
}

/**
 * The offset (target - source) of a relative position that is counted the other way, key - query or memory - query, as T5, TISA, ConViT and Shaw et al. do.
 * The one place where the sign changes.
 *
 * @example
 * offsetFromKeyMinusQuery(-1); // 1: the token before
 */
export function offsetFromKeyMinusQuery(relativePosition: number): number {
  return relativePosition === 0 ? 0 : -relativePosition;
}
