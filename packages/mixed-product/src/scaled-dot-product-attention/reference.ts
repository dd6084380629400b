import { pairStrides } from './pair-shape';

/** One call of attention on plain arrays, row-major: query `[batch, heads, target, dim]`, key and value `[batch, keyHeads, source, dim]`. */
export interface AttentionReferenceCall {
  readonly query: ArrayLike<number>;
  readonly key: ArrayLike<number>;
  readonly value: ArrayLike<number>;
  readonly mask?: Pairs | undefined;
  readonly bias?: Pairs | undefined;
  readonly sizes: {
    readonly batch: number;
    readonly heads: number;
    readonly keyHeads: number;
    readonly target: number;
    readonly source: number;
    readonly headDim: number;
    readonly valueDim: number;
  };
  readonly causal: boolean;
  readonly scale: number;
  /** What each weight `[batch, heads, target, source]` is multiplied by; all 1 if absent. */
  readonly kept?: ArrayLike<number> | undefined;
}

interface Pairs {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Output and gradients; that of the bias is empty without one. */
export interface AttentionReferenceResult {
  readonly output: Float64Array;
  readonly dQuery: Float64Array;
  readonly dKey: Float64Array;
  readonly dValue: Float64Array;
  readonly dBias: Float64Array;
}

/** Attention and its gradients in float64, one target after the other. O(batch heads target source dim). */
export function attentionReference(call: AttentionReferenceCall, dOutput?: ArrayLike<number>): AttentionReferenceResult {
  const { query, key, value, mask, bias, causal, scale, kept } = call;
  const { batch, heads, keyHeads, target, source, headDim, valueDim } = call.sizes;
  const zeros = (...shape: number[]) => new Float64Array(shape.reduce((size, n) => size * n, 1));
  const output = zeros(batch, heads, target, valueDim);
  const dQuery = zeros(batch, heads, target, headDim);
  const dKey = zeros(batch, keyHeads, source, headDim);
  const dValue = zeros(batch, keyHeads, source, valueDim);
  const dBias = new Float64Array(bias?.data.length ?? 0);
  const placeIn = (pairs: Pairs, b: number, h: number, t: number) => {
    const [ofBatch, ofHead, ofTarget] = pairStrides(pairs.shape);
    return ofBatch * b + ofHead * h + ofTarget * t;
  };
  for (let b = 0; b < batch; b++) {
    for (let h = 0; h < heads; h++) {
      const shared = b * keyHeads + Math.floor(h / (heads / keyHeads));
      const keyAt = (s: number) => (shared * source + s) * headDim;
      const valueAt = (s: number) => (shared * source + s) * valueDim;
      for (let t = 0; t < target; t++) {
        const row = (b * heads + h) * target + t;
        const [maskAt, biasAt] = [mask, bias].map((pairs) => (pairs ? placeIn(pairs, b, h, t) : 0)) as [number, number];
        const sources: number[] = [];
        for (let s = 0; s < (causal ? t + source - target + 1 : source); s++) {
          if (mask === undefined || mask.data[maskAt + s] !== 0) sources.push(s);
        }
        if (sources.length === 0) continue;
        const scores = sources.map((s) => {
          let sum = 0;
          for (let c = 0; c < headDim; c++) sum += query[row * headDim + c]! * key[keyAt(s) + c]!;
          return scale * sum + (bias === undefined ? 0 : bias.data[biasAt + s]!);
        });
        const largest = scores.reduce((a, x) => Math.max(a, x), Number.NEGATIVE_INFINITY);
        const exponentials = scores.map((score) => Math.exp(score - largest));
        const total = exponentials.reduce((sum, x) => sum + x, 0);
        const factors = sources.map((s) => (kept === undefined ? 1 : kept[row * source + s]!));
        sources.forEach((s, n) => {
          const weight = (factors[n]! * exponentials[n]!) / total;
          for (let c = 0; c < valueDim; c++) output[row * valueDim + c]! += weight * value[valueAt(s) + c]!;
        });
        if (dOutput === undefined) continue;
        const dWeights = sources.map((s, n) => {
          let sum = 0;
          for (let c = 0; c < valueDim; c++) sum += dOutput[row * valueDim + c]! * value[valueAt(s) + c]!;
          return factors[n]! * sum;
        });
        const mean = dWeights.reduce((sum, dWeight, n) => sum + (exponentials[n]! / total) * dWeight, 0);
        sources.forEach((s, n) => {
          const weight = exponentials[n]! / total;
          const dScore = weight * (dWeights[n]! - mean);
          for (let c = 0; c < valueDim; c++) dValue[valueAt(s) + c]! += factors[n]! * weight * dOutput[row * valueDim + c]!;
          for (let c = 0; c < headDim; c++) {
            dQuery[row * headDim + c]! += scale * dScore * key[keyAt(s) + c]!;
            dKey[keyAt(s) + c]! += scale * dScore * query[row * headDim + c]!;
          }
          if (bias !== undefined) dBias[biasAt + s]! += dScore;
        });
      }
    }
  }
  return { output, dQuery, dKey, dValue, dBias };
}
