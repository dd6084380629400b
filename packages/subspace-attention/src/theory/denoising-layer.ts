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

/** `[rows, depth] [depth, columns]`. Zeros in the left factor cost little: under the theorem's operator most weights are. */
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
      if (p === 0 && q === 0 && r === 0 && s === 0) continue;
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

/** out `[rows, columns]` += a `[rows, depth]` times b `[columns, depth]` transposed. Rows of zeros in `a` are passed over. */
export function addTimesTransposed(
  out: Float64Array,
  a: Float64Array,
  b: Float64Array,
  rows: number,
  depth: number,
  columns: number,
): void {
  const whole = columns - (columns % 4);
  for (let i = 0; i < rows; i++) {
    const row = a.subarray(i * depth, (i + 1) * depth);
    if (row.every((x) => x === 0)) continue;
    const to = i * columns;
    for (let j = 0; j < whole; j += 4) {
      const from = j * depth;
      let p = 0;
      let q = 0;
      let r = 0;
      let s = 0;
      for (let c = 0, at = from; c < depth; c++, at++) {
        const x = row[c]!;
        p += x * b[at]!;
        q += x * b[at + depth]!;
        r += x * b[at + 2 * depth]!;
        s += x * b[at + 3 * depth]!;
      }
      out[to + j]! += p;
      out[to + j + 1]! += q;
      out[to + j + 2]! += r;
      out[to + j + 3]! += s;
    }
    for (let j = whole; j < columns; j++) {
      let sum = 0;
      for (let c = 0; c < depth; c++) sum += row[c]! * b[j * depth + c]!;
      out[to + j]! += sum;
    }
  }
}
