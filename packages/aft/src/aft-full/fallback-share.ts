let [elements, redone] = [0, 0];

/** Counts what a fused call computed, and how much of it directly. */
export function countElements(all: number, direct: number): void {
  elements += all;
  redone += direct;
}

/**
 * How much of what the fused WASM kernels of `aftFull` computed had to be done element by element, since the last question: where the largest key and
 * the largest bias of a row disagree by more than 46 nats. Such elements cost as much as their exponentials.
 *
 * @returns how many elements `[batch, target, dim]` there were in all calls, forward and backward, and how many of them were done directly.
 */
export function aftFullFallback(): { elements: number; redone: number } {
  const counted = { elements, redone };
  [elements, redone] = [0, 0];
  return counted;
}
