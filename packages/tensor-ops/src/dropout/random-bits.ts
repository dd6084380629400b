/** What `dropout` drops by. A type alias, for an interface is no record of attributes. */
export type DropoutAttributes = {
  readonly rate: number;
  readonly seed: number;
};

/** What the kernels are given: two keys from the seed, the least 24 bits to keep, and the factor of what is kept. */
export interface DropoutPlan {
  readonly first: number;
  readonly second: number;
  readonly threshold: number;
  readonly scale: number;
}

/** The finalizer of MurmurHash3. */
function mix(x: number): number {
  let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export function dropoutPlan({ rate, seed }: DropoutAttributes): DropoutPlan {
  const first = mix((seed % 2 ** 32) ^ mix(Math.floor(seed / 2 ** 32) + 0x9e3779b9));
  return { first, second: mix(first ^ 0x5bd1e995), threshold: Math.ceil(rate * 2 ** 24), scale: Math.fround(1 / (1 - rate)) };
}

/**
 * 24 random bits of the element at `place` in C order: its place times an odd constant, mixed with both keys by the finalizer of MurmurHash3.
 * They depend on nothing else, so every backend and form drops the same elements. The second key keeps two seeds from giving one sequence shifted.
 */
export function randomBits(place: number, first: number, second: number): number {
  let h = (Math.imul(place, 0x9e3779b9) + first) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = ((h ^ (h >>> 13)) + second) | 0;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 8;
}
