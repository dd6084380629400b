/** A seeded stream of numbers whose state can be saved, so that a resumed run draws what the unbroken one would have drawn. */
export interface Random {
  /** Next whole number in [0, 2^32). */
  uint32(): number;
  /** Next number in [0, 1), with 24 random bits: exact in float32. */
  uniform(): number;
  /** Next whole number in [0, count), every one equally likely; `count` up to 2^32. */
  below(count: number): number;
  /** The four words that `restoreRandom` takes. */
  state(): number[];
}

/**
 * xoshiro128** from a seed, spread over its four words by splitmix32.
 *
 * Only integer arithmetic and exact divisions: the same numbers on every engine.
 *
 * @param seed - any whole number; its lowest 32 bits count.
 * @see Blackman and Vigna 2021, https://arxiv.org/abs/1805.01407
 */
export function createRandom(seed: number): Random {
  let word = seed | 0;
  const next = (): number => {
    word = (word + 0x9e3779b9) | 0;
    let mixed = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  return restoreRandom([next(), next(), next(), next()]);
}

/**
 * Continues a stream at the point where `state()` was taken.
 *
 * @throws RangeError unless given four whole numbers in [0, 2^32), not all zero.
 */
export function restoreRandom(state: readonly number[]): Random {
  const isWord = (word: number) => Number.isInteger(word) && word >= 0 && word < 2 ** 32;
  if (state.length !== 4 || !state.every(isWord) || state.every((word) => word === 0)) {
    throw new RangeError(`restoreRandom: state must be four words of 32 bits, not all zero, got [${state.join(', ')}]`);
  }
  let [a, b, c, d] = state as [number, number, number, number];
  const rotateLeft = (word: number, bits: number) => (word << bits) | (word >>> (32 - bits));
  const uint32 = (): number => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  };
  return {
    uint32,
    uniform: () => (uint32() >>> 8) / 2 ** 24,
    below(count) {
      // Rejection keeps the draw even: the last, incomplete run of `count` values is thrown away.
      const limit = 2 ** 32 - (2 ** 32 % count);
      let drawn = uint32();
      while (drawn >= limit) drawn = uint32();
      return drawn % count;
    },
    state: () => [a >>> 0, b >>> 0, c >>> 0, d >>> 0],
  };
}
