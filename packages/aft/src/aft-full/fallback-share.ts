/** What the fused WASM kernels of `aftFull` computed, in elements `[batch, target, dim]`, forward and backward. */
export interface AftFullWork {
  readonly elements: number;
  /** Elements whose exponents were all evaluated one by one. */
  readonly redone: number;
  /** Elements that were computed in tiles of sources. */
  readonly tiled: number;
  /** Exponents that were evaluated one by one within tiles, of `source` for each of these elements. */
  readonly exponents: number;
}

const nothing: AftFullWork = { elements: 0, redone: 0, tiled: 0, exponents: 0 };
let total = nothing;

/** Counts what a fused call computed. */
export function count(work: AftFullWork): void {
  total = {
    elements: total.elements + work.elements,
    redone: total.redone + work.redone,
    tiled: total.tiled + work.tiled,
    exponents: total.exponents + work.exponents,
  };
}

/**
 * How the fused WASM kernels of `aftFull` did their work since the last question. One matrix product holds an element unless the largest key and the
 * largest bias of a row disagree by more than 46 nats; where that is often so, sources are taken in tiles; what these do not hold either is done
 * exponent by exponent.
 */
export function aftFullFallback(): AftFullWork {
  const counted = total;
  total = nothing;
  return counted;
}
