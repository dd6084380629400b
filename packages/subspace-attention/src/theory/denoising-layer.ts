import { addTimesTransposed, times } from './products64';

/** What stands in for the softmax of a layer. */
export type DenoisingOperator = 'theorem' | 'softmax' | 'practical';

/** Sizes of a call, and how it attends. */
export interface LayerCall {
  readonly count: number;
  readonly dim: number;
  readonly heads: number;
  readonly headDim: number;
  readonly operator: DenoisingOperator;
  /** Weights at most this are dropped, the others become this; of the theorem's operator. */
  readonly tau: number;
  readonly causal: boolean;
}

/** The variance is never below this; as in `layerNorm`. */
const EPSILON = 1e-5;

/**
 * What one layer adds to the tokens, before the step size: the sum over heads of `A_k X U_k U_k^T`, in float64. X are the tokens, normalised first in
 * the practical layer.
 *
 * @param tokens - `[count, dim]`. @param subspaces - `[heads, dim, headDim]`.
 * @returns `[count, dim]`.
 */
export function denoisingStep(tokens: Float64Array, subspaces: Float64Array, call: LayerCall): Float64Array {
  const { count, dim, heads, headDim, operator } = call;
  const x = operator === 'practical' ? normalized(tokens, count, dim) : tokens;
  const sum = new Float64Array(count * dim);
  for (let k = 0; k < heads; k++) {
    const subspace = subspaces.subarray(k * dim * headDim, (k + 1) * dim * headDim);
    const projected = times(x, subspace, count, dim, headDim);
    const mixed = times(attentionWeights(projected, call), projected, count, count, headDim);
    addTimesTransposed(sum, mixed, subspace, count, headDim, dim);
  }
  return sum;
}

/** How every token attends to all, or to those up to itself, by the scalar products of their projections: `[count, count]`. */
function attentionWeights(projected: Float64Array, { count, headDim, operator, tau, causal }: LayerCall): Float64Array {
  const weights = new Float64Array(count * count);
  addTimesTransposed(weights, projected, projected, count, headDim, count);
  const scale = operator === 'practical' ? 1 / Math.sqrt(headDim) : 1;
  for (let t = 0; t < count; t++) {
    const row = t * count;
    const end = row + (causal ? t + 1 : count);
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = row; j < end; j++) largest = Math.max(largest, weights[j]!);
    let total = 0;
    for (let j = row; j < end; j++) {
      weights[j] = Math.exp(scale * (weights[j]! - largest));
      total += weights[j]!;
    }
    for (let j = row; j < end; j++) {
      const share = weights[j]! / total;
      weights[j] = operator === 'theorem' ? (share > tau ? tau : 0) : share;
    }
    weights.fill(0, end, row + count);
  }
  return weights;
}

/** Each token with mean 0 and variance 1 over its channels. */
function normalized(tokens: Float64Array, count: number, dim: number): Float64Array {
  const out = new Float64Array(tokens.length);
  for (let t = 0; t < count; t++) {
    const row = tokens.subarray(t * dim, (t + 1) * dim);
    const mean = row.reduce((sum, x) => sum + x, 0) / dim;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / dim;
    const scale = 1 / Math.sqrt(variance + EPSILON);
    for (let i = 0; i < dim; i++) out[t * dim + i] = (row[i]! - mean) * scale;
  }
  return out;
}
