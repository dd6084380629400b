type Sizes = Readonly<Record<'batch' | 'time' | 'dim', number>>;

/** Output and the gradients of query, key, value and bias of AFT-full in float64, for keys and biases whose exponentials float64 holds. */
export function aftFullReference({ batch, time, dim }: Sizes, [q, k, v, w, dy]: ArrayLike<number>[]): Float64Array[] {
  const [output, dq, dk, dv] = [0, 1, 2, 3].map(() => new Float64Array(batch * time * dim)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const dw = new Float64Array(time * time);
  const [keys, pairs] = [k!, w!].map((x) => Float64Array.from(x, Math.exp)) as [Float64Array, Float64Array];
  const [share, weighed, numerator, denominator] = [0, 1, 2, 3].map(() => new Float64Array(dim)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let row = 0; row < batch * time; row++) {
    const t = row % time;
    const first = row - t;
    numerator.fill(0);
    denominator.fill(0);
    for (let j = 0; j < time; j++) {
      const pair = pairs[t * time + j]!;
      for (let c = 0; c < dim; c++) {
        const i = (first + j) * dim + c;
        const weight = pair * keys[i]!;
        numerator[c]! += weight * v![i]!;
        denominator[c]! += weight;
      }
    }
    for (let c = 0; c < dim; c++) {
      const i = row * dim + c;
      const gate = 1 / (1 + Math.exp(-q![i]!));
      const mixed = numerator[c]! / denominator[c]!;
      output[i] = gate * mixed;
      dq[i] = dy![i]! * gate * (1 - gate) * mixed;
      share[c] = (dy![i]! * gate) / denominator[c]!;
      weighed[c] = share[c]! * mixed;
    }
    for (let j = 0; j < time; j++) {
      const pair = pairs[t * time + j]!;
      let sum = 0;
      for (let c = 0; c < dim; c++) {
        const i = (first + j) * dim + c;
        const weight = pair * keys[i]!;
        const toKey = weight * (share[c]! * v![i]! - weighed[c]!);
        dv[i]! += weight * share[c]!;
        dk[i]! += toKey;
        sum += toKey;
      }
      dw[t * time + j]! += sum;
    }
  }
  return [output, dq, dk, dv, dw];
}
