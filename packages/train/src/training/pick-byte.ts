import type { Random } from '../random/random';

/**
 * Draws a class from logits.
 *
 * @param temperature - divides the logits; 0 takes the most likely.
 * @param topK - only the most likely `topK` classes can be drawn; ties at the border stay in.
 */
export function pickByte(
  logits: Float32Array,
  { temperature, topK }: { temperature: number; topK: number },
  random: Random,
): number {
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (temperature === 0) return logits.indexOf(largest);
  const border = topK >= logits.length ? Number.NEGATIVE_INFINITY : Float32Array.from(logits).sort().at(-topK)!;
  const weights = Float64Array.from(logits, (logit) => (logit < border ? 0 : Math.exp((logit - largest) / temperature)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = random.uniform() * total;
  for (let i = 0; i < weights.length; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return logits.indexOf(largest);
}
