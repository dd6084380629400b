/**
 * Cross-entropies of the validation bytes, in nats per byte: what a model without any context, and one with a single byte of it,
 * reaches.
 */
export interface ByteEntropy {
  order0: number;
  order1: number;
}

const BYTES = 256;

/**
 * Fits byte frequencies (order 0) and byte-pair frequencies (order 1, bigram) on the training bytes and measures the validation
 * bytes.
 *
 * $$ p_0(x) = \frac{n_x + \alpha}{N + 256 \alpha} \qquad p_1(x \mid y) = \frac{n_{yx} + \beta\, p_0(x)}{n_y + \beta} $$
 *
 * with alpha 0.5 and beta 1: unseen pairs fall back on the frequency of their second byte, so the figures are finite for any
 * text. The first validation byte has nothing before it and is left out of order 1.
 */
export function byteEntropy(training: Uint8Array, validation: Uint8Array): ByteEntropy {
  const counts = new Float64Array(BYTES);
  const pairs = new Float64Array(BYTES * BYTES);
  for (let i = 0; i < training.length; i++) {
    counts[training[i]!]! += 1;
    if (i > 0) pairs[training[i - 1]! * BYTES + training[i]!]! += 1;
  }
  const before = new Float64Array(BYTES);
  for (let i = 0; i < pairs.length; i++) before[i >> 8]! += pairs[i]!;

  const frequency = (byte: number) => (counts[byte]! + 0.5) / (training.length + BYTES / 2);
  let order0 = 0;
  let order1 = 0;
  for (let i = 0; i < validation.length; i++) {
    const byte = validation[i]!;
    const alone = frequency(byte);
    order0 -= Math.log(alone);
    if (i === 0) continue;
    const previous = validation[i - 1]!;
    order1 -= Math.log((pairs[previous * BYTES + byte]! + alone) / (before[previous]! + 1));
  }
  return { order0: order0 / validation.length, order1: order1 / (validation.length - 1) };
}
