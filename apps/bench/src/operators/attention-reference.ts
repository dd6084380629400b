/** Softmax attention of as many sources as targets in float64, and its gradients, with one row of weights at a time and inner loops along memory. */
export function attentionRows(
  { batch, heads, time, headDim }: { batch: number; heads: number; time: number; headDim: number },
  given: {
    readonly query: ArrayLike<number>;
    readonly key: ArrayLike<number>;
    readonly value: ArrayLike<number>;
    /** `[heads, time, time]`. */
    readonly bias: ArrayLike<number> | undefined;
    readonly causal: boolean;
    readonly dOutput: ArrayLike<number> | undefined;
  },
) {
  const { query, key, value, bias, causal, dOutput } = given;
  const size = batch * heads * time * headDim;
  const [output, dQuery, dKey, dValue] = [0, 1, 2, 3].map(() => new Float64Array(size)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const dBias = new Float64Array(bias?.length ?? 0);
  const [weights, dWeights] = [new Float64Array(time), new Float64Array(time)];
  const scale = 1 / Math.sqrt(headDim);
  for (let head = 0; head < batch * heads; head++) {
    const first = head * time * headDim;
    for (let t = 0; t < time; t++) {
      const at = first + t * headDim;
      const seen = causal ? t + 1 : time;
      const biasAt = ((head % heads) * time + t) * time;
      let largest = Number.NEGATIVE_INFINITY;
      for (let s = 0; s < seen; s++) {
        let sum = 0;
        for (let c = 0; c < headDim; c++) sum += query[at + c]! * key[first + s * headDim + c]!;
        weights[s] = scale * sum + (bias === undefined ? 0 : bias[biasAt + s]!);
        largest = Math.max(largest, weights[s]!);
      }
      let total = 0;
      for (let s = 0; s < seen; s++) total += weights[s] = Math.exp(weights[s]! - largest);
      for (let s = 0; s < seen; s++) {
        weights[s]! /= total;
        for (let c = 0; c < headDim; c++) output[at + c]! += weights[s]! * value[first + s * headDim + c]!;
      }
      if (dOutput === undefined) continue;
      let mean = 0;
      for (let s = 0; s < seen; s++) {
        let sum = 0;
        for (let c = 0; c < headDim; c++) {
          sum += dOutput[at + c]! * value[first + s * headDim + c]!;
          dValue[first + s * headDim + c]! += weights[s]! * dOutput[at + c]!;
        }
        dWeights[s] = sum;
        mean += weights[s]! * sum;
      }
      for (let s = 0; s < seen; s++) {
        const dScore = weights[s]! * (dWeights[s]! - mean);
        if (bias !== undefined) dBias[biasAt + s]! += dScore;
        for (let c = 0; c < headDim; c++) {
          dQuery[at + c]! += scale * dScore * key[first + s * headDim + c]!;
          dKey[first + s * headDim + c]! += scale * dScore * query[at + c]!;
        }
      }
    }
  }
  return { output, dQuery, dKey, dValue, dBias };
}
