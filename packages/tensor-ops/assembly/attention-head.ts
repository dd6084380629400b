// What all parts of an attention kernel read: one head of one batch entry, its sizes and options, and how the working memory is shared out.
// The work goes head by head, so nothing here is larger than the keys and values of one.
import { splat } from './math';

/** Largest score of a pair that is not attended; any other is above half of it. `e^(NONE - FLOOR)` is 0. */
export const NONE: f32 = -1e30;

/** Where the largest score of a row begins. */
export const FLOOR: f32 = -5e29;

/** Targets (in the gradient sources) of a panel: two vectors. */
export const PANEL: i32 = 8;
/** Bytes of a row of a panel. */
export const PANEL_ROW: usize = 32;

export namespace head {
  export let query: usize = 0;
  export let key: usize = 0;
  export let value: usize = 0;
  /** 0 if all pairs are attended; else one float for each source, rows `maskRow` bytes apart: 0 if targets share one. */
  export let mask: usize = 0;
  export let maskRow: usize = 0;
  /** 0 for none. */
  export let bias: usize = 0;
  export let biasRow: usize = 0;
  export let target: i32 = 0;
  export let source: i32 = 0;
  export let dim: i32 = 0;
  export let valueDim: i32 = 0;
  export let causal: bool = false;
  export let scale: f32 = 1;
  /** Random bits below it drop a weight; 0 drops none. */
  export let threshold: i32 = 0;
  export let first: i32 = 0;
  export let second: i32 = 0;
  /** What a weight that is kept is multiplied by. */
  export let keep: f32 = 1;
  /** The number of this head's first pair among all pairs. */
  export let place: i32 = 0;
  /** Whether no key and value (in the gradient no input) is NaN or infinite. Else a weight of 0 must not meet them. */
  export let finite: bool = true;
  /** The address behind what has been taken of the working memory. */
  export let free: usize = 0;
}

export function setSizes(target: i32, source: i32, dim: i32, valueDim: i32, causal: bool, scratch: usize): void {
  head.target = target;
  head.source = source;
  head.dim = dim;
  head.valueDim = valueDim;
  head.causal = causal;
  head.free = scratch;
}

export function setDropout(threshold: i32, first: i32, second: i32, keep: f32): void {
  head.threshold = threshold;
  head.first = first;
  head.second = second;
  head.keep = keep;
}

/** Takes `floats` floats of the working memory. */
export function take(floats: usize): usize {
  const at = head.free;
  head.free = (at + (floats << 2) + 63) & ~63;
  return at;
}

// @ts-ignore: decorator
@inline
export function roundUp(x: i32, unit: i32): i32 {
  return (x + unit - 1) & -unit;
}

/** Sources of a block: its keys and values fit the first-level cache beside a panel of scores. A multiple of 8. */
export function blockSize(): i32 {
  return max(32, min(128, (4096 / max(1, max(head.dim, head.valueDim))) & -8));
}

/** How many sources the targets up to `target`, and not it, may see. */
// @ts-ignore: decorator
@inline
export function seenBy(target: i32): i32 {
  return head.causal ? max(0, min(head.source, target + head.source - head.target)) : head.source;
}

/** Whether `count` floats are neither NaN nor infinite. */
export function allFinite(x: usize, count: usize): bool {
  let lost = splat(0.0);
  const end = x + (count << 2);
  for (; x + 16 <= end; x += 16) {
    const loaded = v128.load(x);
    lost = v128.or(lost, f32x4.ne(f32x4.sub(loaded, loaded), splat(0.0)));
  }
  for (; x < end; x += 4) {
    const loaded = v128.load32_zero(x);
    lost = v128.or(lost, f32x4.ne(f32x4.sub(loaded, loaded), splat(0.0)));
  }
  return !v128.any_true(lost);
}
