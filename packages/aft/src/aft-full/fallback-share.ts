/** What the fused WASM kernels of `aftFull` computed, in elements `[batch, target, dim]`, forward and backward. */
export interface AftFullWork {
  elements: number;
  /** Elements whose exponents were all evaluated one by one. */
  redone: number;
  /** Elements that were computed in tiles of sources. */
  tiled: number;
  /** Exponents that were evaluated one by one within tiles, of one per source for each of these elements. */
  exponents: number;
}

const total: AftFullWork = { elements: 0, redone: 0, tiled: 0, exponents: 0 };

/** Counts what a fused call computed. */
export function count(elements: number, redone: number, tiled: number, exponents: number): void {
  total.elements += elements;
  total.redone += redone;
  total.tiled += tiled;
  total.exponents += exponents;
}

/**
 * How the fused WASM kernels of `aftFull` did their work since the last question. One matrix product holds an element unless the largest key and the
 * largest bias of a row disagree by more than 46 nats; where that is so more than rarely, sources are taken in tiles; what these do not hold either is
 * done exponent by exponent.
 */
export function aftFullFallback(): AftFullWork {
  const counted = { ...total };
  total.elements = total.redone = total.tiled = total.exponents = 0;
  return counted;
}
