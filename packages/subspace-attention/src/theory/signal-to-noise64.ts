import { addTimesTransposed, times } from './products64';

/**
 * The signal-to-noise ratio of every cluster, in float64: the norm of its tokens inside their subspace over the norm outside, for subspaces with
 * orthonormal columns. NaN for a cluster without tokens or with tokens of 0.
 *
 * @param tokens - `[count, dim]`. @param subspaces - `[heads, dim, headDim]`. @param labels - the cluster of each token.
 */
export function clusterRatios(
  tokens: Float64Array,
  subspaces: Float64Array,
  labels: ArrayLike<number>,
  [count, dim, heads, headDim]: readonly [count: number, dim: number, heads: number, headDim: number],
): number[] {
  const inside = new Float64Array(dim);
  return Array.from({ length: heads }, (_, k) => {
    const subspace = subspaces.subarray(k * dim * headDim, (k + 1) * dim * headDim);
    let [signal, noise] = [0, 0];
    for (let t = 0; t < count; t++) {
      if (labels[t] !== k) continue;
      const token = tokens.subarray(t * dim, (t + 1) * dim);
      addTimesTransposed(inside.fill(0), times(token, subspace, 1, dim, headDim), subspace, 1, headDim, dim);
      for (let i = 0; i < dim; i++) {
        signal += inside[i]! ** 2;
        noise += (token[i]! - inside[i]!) ** 2;
      }
    }
    return Math.sqrt(signal) / Math.sqrt(noise);
  });
}
