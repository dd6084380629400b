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
    const mixed = attend(times(x, subspace, count, dim, headDim), call);
    addBack(sum, mixed, subspace, call);
  }
  return sum;
}

/** Every token attends to all, or to those up to itself, by the scalar products of their projections. */
function attend(projected: Float64Array, { count, headDim, operator, tau, causal }: LayerCall): Float64Array {
  const mixed = new Float64Array(count * headDim);
  const scores = scalarProducts(projected, count, headDim);
  const scale = operator === 'practical' ? 1 / Math.sqrt(headDim) : 1;
  for (let t = 0; t < count; t++) {
    const seen = causal ? t + 1 : count;
    const weights = scores.subarray(t * count, t * count + seen);
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < seen; j++) largest = Math.max(largest, weights[j]!);
    let total = 0;
    for (let j = 0; j < seen; j++) {
      weights[j] = Math.exp(scale * (weights[j]! - largest));
      total += weights[j]!;
    }
    for (let j = 0; j < seen; j++) {
      const share = weights[j]! / total;
      const weight = operator === 'theorem' ? (share > tau ? tau : 0) : share;
      if (weight === 0) continue;
      for (let c = 0, at = t * headDim, from = j * headDim; c < headDim; c++) mixed[at + c]! += weight * projected[from + c]!;
    }
  }
  return mixed;
}

/** The scalar products of any two rows, `[count, count]`. */
function scalarProducts(rows: Float64Array, count: number, width: number): Float64Array {
  const out = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let a = 0;
      let b = 0;
      let at = i * width;
      let from = j * width;
      const last = at + width - 1;
      for (; at < last; at += 2, from += 2) {
        a += rows[at]! * rows[from]!;
        b += rows[at + 1]! * rows[from + 1]!;
      }
      if (at === last) a += rows[at]! * rows[from]!;
      out[i * count + j] = a + b;
      out[j * count + i] = a + b;
    }
  }
  return out;
}

/** sum += mixed subspace^T. Under the theorem's operator most rows are 0. */
function addBack(sum: Float64Array, mixed: Float64Array, subspace: Float64Array, { count, dim, headDim }: LayerCall): void {
  for (let t = 0; t < count; t++) {
    const row = mixed.subarray(t * headDim, (t + 1) * headDim);
    if (row.every((x) => x === 0)) continue;
    for (let i = 0; i < dim; i++) {
      let back = 0;
      for (let c = 0, from = i * headDim; c < headDim; c++) back += row[c]! * subspace[from + c]!;
      sum[t * dim + i]! += back;
    }
  }
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

/** `[rows, depth] [depth, columns]`. */
export function times(a: Float64Array, b: Float64Array, rows: number, depth: number, columns: number): Float64Array {
  const out = new Float64Array(rows * columns);
  const whole = depth - (depth % 4);
  for (let i = 0; i < rows; i++) {
    const to = i * columns;
    for (let k = 0; k < whole; k += 4) {
      const at = i * depth + k;
      const p = a[at]!;
      const q = a[at + 1]!;
      const r = a[at + 2]!;
      const s = a[at + 3]!;
      for (let j = 0, from = k * columns; j < columns; j++, from++) {
        out[to + j]! += p * b[from]! + q * b[from + columns]! + (r * b[from + 2 * columns]! + s * b[from + 3 * columns]!);
      }
    }
    for (let k = whole; k < depth; k++) {
      for (let j = 0; j < columns; j++) out[to + j]! += a[i * depth + k]! * b[k * columns + j]!;
    }
  }
  return out;
}
