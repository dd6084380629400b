/** An AFT whose bias is 0 outside a window: over positions of one dimension, or of a grid in any order. */
export interface WindowedAftCall {
  readonly batch: number;
  readonly positions: number;
  readonly dim: number;
  /** Of the keys and of the bias. */
  readonly heads: number;
  /** A source comes no later than its target. */
  readonly causal: boolean;
  /** Sources in the window of a target, and where the bias of the pair stands for head 0. */
  readonly window: (target: number) => readonly { readonly source: number; readonly at: number }[];
  /** From the bias of a head to that of the next; 0 where all have the same. */
  readonly headStride: number;
}

/**
 * Output and the gradients of query, key, value and bias in float64: the sums of all sources, and what the bias adds in the window. For keys and biases
 * whose exponentials float64 holds. O(batch positions window dim).
 */
export function windowedAftReference(
  { batch, positions, dim, heads, causal, window, headStride }: WindowedAftCall,
  [q, k, v, bias, dy]: ArrayLike<number>[],
): [output: Float64Array, dQuery: Float64Array, dKey: Float64Array, dValue: Float64Array, dBias: Float64Array] {
  const [size, headDim] = [batch * positions * dim, dim / heads];
  const [output, dq, dv] = [new Float64Array(size), new Float64Array(size), new Float64Array(size)];
  const dk = new Float64Array(batch * positions * heads);
  const dBias = new Float64Array(bias!.length);
  const row = () => new Float64Array(dim);
  const [sum, norm, numerator, denominator, shares, weighedShares] = [row(), row(), row(), row(), row(), row()];
  const [share, weighed] = [new Float64Array(positions * dim), new Float64Array(positions * dim)];
  const [weight, excess] = [Float64Array.from(k!, Math.exp), Float64Array.from(bias!, Math.expm1)];
  const headOf = Int32Array.from({ length: dim }, (_, c) => Math.floor(c / headDim));
  const windows = Array.from({ length: positions }, (_, target) =>
    window(target).filter(({ source }) => source >= 0 && source < positions && (!causal || source <= target)),
  );
  for (let b = 0; b < batch; b++) {
    const first = b * positions;
    const keyOf = (source: number, c: number) => (first + source) * heads + headOf[c]!;
    sum.fill(0);
    norm.fill(0);
    const take = (source: number) => {
      for (let c = 0; c < dim; c++) {
        const w = weight[keyOf(source, c)]!;
        sum[c]! += w * v![(first + source) * dim + c]!;
        norm[c]! += w;
      }
    };
    if (!causal) for (let source = 0; source < positions; source++) take(source);
    for (let target = 0; target < positions; target++) {
      if (causal) take(target);
      numerator.set(sum);
      denominator.set(norm);
      for (const { source, at } of windows[target]!) {
        for (let c = 0; c < dim; c++) {
          const more = excess[at + headOf[c]! * headStride]! * weight[keyOf(source, c)]!;
          numerator[c]! += more * v![(first + source) * dim + c]!;
          denominator[c]! += more;
        }
      }
      for (let c = 0; c < dim; c++) {
        const i = (first + target) * dim + c;
        const gate = 1 / (1 + Math.exp(-q![i]!));
        const mixed = numerator[c]! / denominator[c]!;
        output[i] = gate * mixed;
        dq[i] = dy![i]! * gate * (1 - gate) * mixed;
        share[target * dim + c] = (dy![i]! * gate) / denominator[c]!;
        weighed[target * dim + c] = share[target * dim + c]! * mixed;
      }
      for (const { source, at } of windows[target]!) {
        for (let c = 0; c < dim; c++) {
          const i = (first + source) * dim + c;
          const place = at + headOf[c]! * headStride;
          const own = weight[keyOf(source, c)]!;
          const more = excess[place]! * own;
          const slope = share[target * dim + c]! * v![i]! - weighed[target * dim + c]!;
          dv[i]! += more * share[target * dim + c]!;
          dk[keyOf(source, c)]! += more * slope;
          dBias[place]! += (more + own) * slope;
        }
      }
    }
    // What every source gets as if the bias were 0: from all targets, or from those not before it.
    shares.fill(0);
    weighedShares.fill(0);
    const give = (target: number) => {
      for (let c = 0; c < dim; c++) {
        shares[c]! += share[target * dim + c]!;
        weighedShares[c]! += weighed[target * dim + c]!;
      }
    };
    if (!causal) for (let target = 0; target < positions; target++) give(target);
    for (let source = positions - 1; source >= 0; source--) {
      if (causal) give(source);
      for (let c = 0; c < dim; c++) {
        const i = (first + source) * dim + c;
        const w = weight[keyOf(source, c)]!;
        dv[i]! += w * shares[c]!;
        dk[keyOf(source, c)]! += w * (v![i]! * shares[c]! - weighedShares[c]!);
      }
    }
  }
  return [output, dq, dk, dv, dBias];
}
