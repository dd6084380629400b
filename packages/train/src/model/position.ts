import { mul, range, reshape, sub, type Tensor, tensor1d } from '@tensorflow/tfjs-core';

/** How attention knows where tokens are: turned queries and keys, a learned vector per place, scores that fall with distance, or not at all. */
export const positionKinds = ['rotary', 'learned', 'alibi', 'none'] as const;

export type PositionKind = (typeof positionKinds)[number];

/** Sizes of an attention mixer. */
export interface AttentionConfig {
  /** Heads in all. */
  readonly heads: number;
  /** Of these, the last ones look 1, 2, ... tokens back. */
  readonly shiftHeads: number;
  readonly position: PositionKind;
  /** Longest text with learned positions. */
  readonly maxLength: number;
}

/**
 * What ALiBi adds to the scores, `[heads, target, source]`: minus the distance times a slope that falls from head to head. The last target stands at
 * the last source.
 *
 * @param slopes - one per head, above 0.
 */
export function distanceBias(slopes: readonly number[], target: number, source: number): Tensor {
  const distance = sub(reshape(range(source - target, source), [1, target, 1]), reshape(range(0, source), [1, 1, source]));
  return mul(distance, reshape(tensor1d(slopes.map((slope) => -slope)), [slopes.length, 1, 1]));
}
