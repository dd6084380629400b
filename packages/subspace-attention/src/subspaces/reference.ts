type Sizes = readonly [heads: number, dim: number, headDim: number];

/** `U^T U - I` of one head by loops in float64, `[headDim, headDim]`. */
function excess(data: ArrayLike<number>, head: number, [, dim, headDim]: Sizes): Float64Array {
  const out = new Float64Array(headDim * headDim);
  for (let a = 0; a < headDim; a++) {
    for (let b = 0; b < headDim; b++) {
      let inner = a === b ? -1 : 0;
      for (let i = 0; i < dim; i++) inner += data[(head * dim + i) * headDim + a]! * data[(head * dim + i) * headDim + b]!;
      out[a * headDim + b] = inner;
    }
  }
  return out;
}

/** The mean over the heads of `|U^T U - I|^2`. */
export function penaltyReference(data: ArrayLike<number>, sizes: Sizes): Float64Array {
  let sum = 0;
  for (let head = 0; head < sizes[0]; head++) for (const x of excess(data, head, sizes)) sum += x * x;
  return Float64Array.of(sum / sizes[0]);
}

/** Its gradient, times a cotangent. */
export function penaltyGradientReference(data: ArrayLike<number>, sizes: Sizes, dPenalty: number): Float64Array {
  const [heads, dim, headDim] = sizes;
  const out = new Float64Array(heads * dim * headDim);
  for (let head = 0; head < heads; head++) {
    const factor = excess(data, head, sizes);
    for (let i = 0; i < dim; i++) {
      const at = (head * dim + i) * headDim;
      for (let a = 0; a < headDim; a++) {
        for (let b = 0; b < headDim; b++) out[at + b]! += (4 / heads) * dPenalty * data[at + a]! * factor[a * headDim + b]!;
      }
    }
  }
  return out;
}
