/** One call of MSSA on plain arrays, row-major. */
export interface MssaReferenceCall {
  /** `[batch, tokens, dim]`. */
  readonly tokens: ArrayLike<number>;
  /** `[heads, dim, headDim]`. */
  readonly subspaces: ArrayLike<number>;
  /** `[heads, headDim, dim]`; absent: the subspaces, transposed. */
  readonly output?: ArrayLike<number> | undefined;
  /** `[batch, tokens]`. */
  readonly keyMask?: ArrayLike<number> | undefined;
  /** `[headDim]`. */
  readonly queryKeyGain?: ArrayLike<number> | undefined;
  readonly sizes: {
    readonly batch: number;
    readonly tokens: number;
    readonly dim: number;
    readonly heads: number;
    readonly headDim: number;
  };
  readonly causal?: boolean | undefined;
  readonly scale: number;
  readonly maskSelf?: boolean | undefined;
  readonly phi?: 'softmax' | 'relu' | { readonly threshold: number; readonly straightThrough?: boolean | undefined } | undefined;
}

/** Output, maps `[batch, heads, tokens, tokens]` and gradients; those of absent inputs are zeros. */
export interface MssaReferenceResult {
  readonly denoised: Float64Array;
  readonly maps: Float64Array;
  readonly dTokens: Float64Array;
  readonly dSubspaces: Float64Array;
  readonly dOutput: Float64Array;
  readonly dQueryKeyGain: Float64Array;
}

/** MSSA and its gradients in float64, one head after the other. O(batch heads tokens (tokens + dim) headDim). */
export function mssaReference(call: MssaReferenceCall, dDenoised?: ArrayLike<number>): MssaReferenceResult {
  const { tokens: x, subspaces, output, keyMask, queryKeyGain, causal = false, scale, maskSelf = false, phi = 'softmax' } = call;
  const { batch, tokens: length, dim, heads, headDim } = call.sizes;
  const zeros = (...shape: number[]) => new Float64Array(shape.reduce((size, n) => size * n, 1));
  const made = {
    denoised: zeros(batch, length, dim),
    maps: zeros(batch, heads, length, length),
    dTokens: zeros(batch, length, dim),
    dSubspaces: zeros(heads, dim, headDim),
    dOutput: zeros(heads, headDim, dim),
    dQueryKeyGain: zeros(headDim),
  };
  for (let b = 0; b < batch; b++) {
    const tokenAt = (t: number) => (b * length + t) * dim;
    for (let h = 0; h < heads; h++) {
      const basisAt = (i: number, c: number) => (h * dim + i) * headDim + c;
      const wayAt = (c: number, i: number) => (h * headDim + c) * dim + i;
      const way = (c: number, i: number) => (output === undefined ? subspaces[basisAt(i, c)]! : output[wayAt(c, i)]!);
      const w = zeros(length, headDim);
      for (let t = 0; t < length; t++) {
        for (let c = 0; c < headDim; c++) {
          for (let i = 0; i < dim; i++) w[t * headDim + c]! += x[tokenAt(t) + i]! * subspaces[basisAt(i, c)]!;
        }
      }
      const roots = zeros(length).map((_, t) => {
        let squares = 0;
        for (let c = 0; c < headDim; c++) squares += w[t * headDim + c]! ** 2;
        return Math.sqrt(squares / headDim + 1e-6);
      });
      const match = w.map((value, i) => {
        return queryKeyGain === undefined ? value : (value / roots[Math.floor(i / headDim)]!) * queryKeyGain[i % headDim]!;
      });
      const dMatch = zeros(length, headDim);
      const dW = zeros(length, headDim);
      for (let t = 0; t < length; t++) {
        const sources: number[] = [];
        for (let s = 0; s < length; s++) {
          const exists = keyMask === undefined || keyMask[b * length + s] !== 0;
          if (exists && (!causal || s <= t) && (!maskSelf || s !== t)) sources.push(s);
        }
        if (sources.length === 0) continue;
        const scores = sources.map((s) => {
          let sum = 0;
          for (let c = 0; c < headDim; c++) sum += match[t * headDim + c]! * match[s * headDim + c]!;
          return scale * sum;
        });
        const { weights, toScores } = weigh(scores, phi);
        const y = zeros(headDim);
        sources.forEach((s, n) => {
          made.maps[((b * heads + h) * length + t) * length + s] = weights[n]!;
          for (let c = 0; c < headDim; c++) y[c]! += weights[n]! * w[s * headDim + c]!;
        });
        for (let c = 0; c < headDim; c++) {
          for (let i = 0; i < dim; i++) made.denoised[tokenAt(t) + i]! += y[c]! * way(c, i);
        }
        if (dDenoised === undefined) continue;
        const dY = zeros(headDim);
        for (let c = 0; c < headDim; c++) {
          for (let i = 0; i < dim; i++) {
            const received = dDenoised[tokenAt(t) + i]!;
            dY[c]! += received * way(c, i);
            if (output === undefined) made.dSubspaces[basisAt(i, c)]! += received * y[c]!;
            else made.dOutput[wayAt(c, i)]! += received * y[c]!;
          }
        }
        const dWeights = sources.map((s) => {
          let sum = 0;
          for (let c = 0; c < headDim; c++) sum += dY[c]! * w[s * headDim + c]!;
          return sum;
        });
        const dScores = toScores(dWeights);
        sources.forEach((s, n) => {
          for (let c = 0; c < headDim; c++) {
            dW[s * headDim + c]! += weights[n]! * dY[c]!;
            dMatch[t * headDim + c]! += scale * dScores[n]! * match[s * headDim + c]!;
            dMatch[s * headDim + c]! += scale * dScores[n]! * match[t * headDim + c]!;
          }
        });
      }
      for (let t = 0; t < length; t++) {
        const root = roots[t]!;
        const unit = (c: number) => w[t * headDim + c]! / root;
        let along = 0;
        if (queryKeyGain !== undefined) {
          for (let c = 0; c < headDim; c++) {
            along += (dMatch[t * headDim + c]! * queryKeyGain[c]! * unit(c)) / headDim;
            made.dQueryKeyGain[c]! += dMatch[t * headDim + c]! * unit(c);
          }
        }
        for (let c = 0; c < headDim; c++) {
          const received = dMatch[t * headDim + c]!;
          dW[t * headDim + c]! += queryKeyGain === undefined ? received : (received * queryKeyGain[c]! - unit(c) * along) / root;
          for (let i = 0; i < dim; i++) {
            made.dTokens[tokenAt(t) + i]! += dW[t * headDim + c]! * subspaces[basisAt(i, c)]!;
            made.dSubspaces[basisAt(i, c)]! += x[tokenAt(t) + i]! * dW[t * headDim + c]!;
          }
        }
      }
    }
  }
  return made;
}

/** Weights of the sources that a target sees, and the way of their gradients to the scores. */
function weigh(scores: readonly number[], phi: NonNullable<MssaReferenceCall['phi']>) {
  const count = scores.length;
  if (phi === 'relu') {
    const toScores = (d: readonly number[]) => d.map((dWeight, n) => (scores[n]! > 0 ? dWeight / count : 0));
    return { weights: scores.map((score) => Math.max(0, score) / count), toScores };
  }
  const largest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const exponentials = scores.map((score) => Math.exp(score - largest));
  const total = exponentials.reduce((a, b) => a + b, 0);
  const shares = exponentials.map((value) => value / total);
  const toScores = (d: readonly number[]) => {
    const mean = d.reduce((sum, dWeight, n) => sum + shares[n]! * dWeight, 0);
    return d.map((dWeight, n) => shares[n]! * (dWeight - mean));
  };
  if (phi === 'softmax') return { weights: shares, toScores };
  const weights = shares.map((share) => (share > phi.threshold ? phi.threshold : 0));
  return { weights, toScores: phi.straightThrough ? toScores : (d: readonly number[]) => d.map(() => 0) };
}
