/** Running sums over the middle axis of `[outer, time, inner]`. */
export function cumulativeSumReference(
  { outer, time, inner, exclusive = false, reverse = false }: Reference,
  x: ArrayLike<number>,
): Float64Array {
  const output = new Float64Array(x.length);
  for (let lane = 0; lane < outer * inner; lane++) {
    let sum = 0;
    for (let step = 0; step < time; step++) {
      const t = reverse ? time - 1 - step : step;
      const i = (Math.floor(lane / inner) * time + t) * inner + (lane % inner);
      output[i] = exclusive ? sum : sum + x[i]!;
      sum += x[i]!;
    }
  }
  return output;
}

interface Reference {
  outer: number;
  time: number;
  inner: number;
  exclusive?: boolean;
  reverse?: boolean;
}
