/**
 * Dropout by 64-bit integers, apart from the code it tests: MurmurHash3's finalizer over a place times 2^32 over the golden ratio, under two keys
 * derived from the seed by the same finalizer.
 */
export function dropoutReference(x: ArrayLike<number>, rate: number, seed: number): Float64Array {
  const word = (value: bigint) => BigInt.asUintN(32, value);
  const round = (h: bigint, shift: bigint) => h ^ (h >> shift);
  const finalize = (value: bigint, added = 0n) => {
    const h = word(round(word(value), 16n) * 0x85ebca6bn);
    return round(word(word(round(h, 13n) + added) * 0xc2b2ae35n), 16n);
  };
  const whole = BigInt(seed);
  const first = finalize(word(whole) ^ finalize((whole >> 32n) + 0x9e3779b9n));
  const second = finalize(first ^ 0x5bd1e995n);
  return Float64Array.from(x, (value, place) => {
    const bits = finalize(BigInt(place) * 0x9e3779b9n + first, second) >> 8n;
    return Number(bits) / 2 ** 24 >= rate ? value / (1 - rate) : 0;
  });
}
