interface AttentionReference {
  readonly batch: number;
  readonly heads: number;
  readonly source: number;
  readonly target: number;
  readonly size: number;
  /** `[batch, heads, source, size]`. */
  readonly key: ArrayLike<number>;
  /** `[batch, heads, target, size]`. */
  readonly query: ArrayLike<number>;
  readonly temperature: number;
  /** Added to key and query of a pair. */
  readonly keyOfPair?: (b: number, k: number, n: number, m: number, d: number) => number;
  readonly queryOfPair?: (b: number, k: number, n: number, m: number, d: number) => number;
  /** Added to the scores behind the temperature; -Infinity hides a pair. */
  readonly bias?: (b: number, k: number, n: number, m: number) => number;
}

/** Attention as graphs `A [batch, heads, source, target]`, by its definition, in float64. */
export function attentionReference(given: AttentionReference): Float64Array {
  const { batch, heads, source, target, size, key, query, temperature } = given;
  const none = () => 0;
  const { keyOfPair = none, queryOfPair = none, bias = none } = given;
  const graphs = new Float64Array(batch * heads * source * target);
  for (let b = 0; b < batch; b++) {
    for (let k = 0; k < heads; k++) {
      for (let n = 0; n < target; n++) {
        const scores = Array.from({ length: source }, (_, m) => {
          let sum = 0;
          for (let d = 0; d < size; d++) {
            const left = key[((b * heads + k) * source + m) * size + d]! + keyOfPair(b, k, n, m, d);
            sum += left * (query[((b * heads + k) * target + n) * size + d]! + queryOfPair(b, k, n, m, d));
          }
          return sum / temperature + bias(b, k, n, m);
        });
        const largest = Math.max(...scores);
        if (largest === Number.NEGATIVE_INFINITY) continue;
        const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
        scores.forEach((score, m) => {
          graphs[((b * heads + k) * source + m) * target + n] = Math.exp(score - largest) / total;
        });
      }
    }
  }
  return graphs;
}

/** `x [batch, nodes, dim]` by a matrix per head `[heads, dim, size]` with a bias: `[batch, heads, nodes, size]`. */
export function projectReference(
  x: ArrayLike<number>,
  weights: ArrayLike<number>,
  [batch, nodes, dim]: readonly [number, number, number],
  [heads, size]: readonly [number, number],
  bias?: ArrayLike<number>,
): Float64Array {
  return Float64Array.from({ length: batch * heads * nodes * size }, (_, i) => {
    const [b, k, n, d] = [
      Math.floor(i / (heads * nodes * size)),
      Math.floor(i / (nodes * size)) % heads,
      Math.floor(i / size) % nodes,
      i % size,
    ];
    let sum = bias?.[k * size + d] ?? 0;
    for (let p = 0; p < dim; p++) sum += x[(b * nodes + n) * dim + p]! * weights[(k * dim + p) * size + d]!;
    return sum;
  });
}
