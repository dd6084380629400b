/** ISTA by loops in float64, and its gradient if there is a cotangent. */
export function istaReference({
  tokens,
  dictionary,
  dim,
  stepSize = 0.1,
  threshold = 0.1,
}: {
  tokens: ArrayLike<number>;
  dictionary: ArrayLike<number>;
  dim: number;
  stepSize?: number;
  threshold?: number;
}): Float64Array {
  const out = new Float64Array(tokens.length);
  for (let t = 0; t < tokens.length; t += dim) {
    const rest = new Float64Array(dim);
    for (let i = 0; i < dim; i++) {
      rest[i] = tokens[t + i]!;
      for (let k = 0; k < dim; k++) rest[i]! -= tokens[t + k]! * dictionary[i * dim + k]!;
    }
    for (let i = 0; i < dim; i++) {
      let step = 0;
      for (let k = 0; k < dim; k++) step += rest[k]! * dictionary[k * dim + i]!;
      out[t + i] = Math.max(0, tokens[t + i]! + stepSize * step - stepSize * threshold);
    }
  }
  return out;
}
