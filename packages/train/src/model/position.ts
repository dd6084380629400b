/** How attention knows where tokens are: turned queries and keys, a learned vector per place, scores that fall with distance or are learned by it, or not at all. */
export const positionKinds = ['rotary', 'learned', 'alibi', 't5', 'none'] as const;

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
