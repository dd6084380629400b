/** Sizes and float64 gradients of AFT-simple in O(time), for keys of moderate size. */
export interface AftSimpleCall {
  readonly batch: number;
  readonly time: number;
  readonly dim: number;
  readonly causal: boolean;
}

/** Output and the gradients of query, key and value, channel by channel; `dy` is what arrives at the output. */
export function aftSimpleReference(
  { batch, time, dim, causal }: AftSimpleCall,
  [q, k, v, dy]: readonly [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>, ArrayLike<number>],
): [output: Float64Array, dQuery: Float64Array, dKey: Float64Array, dValue: Float64Array] {
  const made = () => new Float64Array(batch * time * dim);
  const [output, dq, dk, dv] = [made(), made(), made(), made()];
  const [weight, mixed, share] = [new Float64Array(time), new Float64Array(time), new Float64Array(time)];
  for (let channel = 0; channel < batch * dim; channel++) {
    const start = Math.floor(channel / dim) * time * dim + (channel % dim);
    const at = (t: number) => start + t * dim;
    let [sum, norm] = [0, 0];
    const take = (t: number) => {
      weight[t] = Math.exp(k[at(t)]!);
      sum += weight[t]! * v[at(t)]!;
      norm += weight[t]!;
    };
    if (!causal) for (let t = 0; t < time; t++) take(t);
    for (let t = 0; t < time; t++) {
      if (causal) take(t);
      const gate = 1 / (1 + Math.exp(-q[at(t)]!));
      mixed[t] = sum / norm;
      output[at(t)] = gate * mixed[t]!;
      dq[at(t)] = dy[at(t)]! * gate * (1 - gate) * mixed[t]!;
      share[t] = (dy[at(t)]! * gate) / norm;
    }
    // d/dk_s = e^k_s sum over the targets t of share_t (v_s - mixed_t), d/dv_s = e^k_s sum of share_t; causal: t >= s.
    let [shares, shareMixed] = [0, 0];
    const give = (t: number) => {
      shares += share[t]!;
      shareMixed += share[t]! * mixed[t]!;
    };
    if (!causal) for (let t = 0; t < time; t++) give(t);
    for (let s = time - 1; s >= 0; s--) {
      if (causal) give(s);
      dv[at(s)] = weight[s]! * shares;
      dk[at(s)] = weight[s]! * (v[at(s)]! * shares - shareMixed);
    }
  }
  return [output, dq, dk, dv];
}
