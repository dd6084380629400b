interface Reference {
  /** `[batch, heads, time, headDim]`. */
  readonly shape: readonly number[];
  readonly base?: number;
  readonly offset?: number;
  readonly pairing?: 'adjacent' | 'halves';
}

/** Rotary embedding, each pair as a complex number times `e^(i angle)`; `sign` -1 turns backwards. */
export function rotaryReference(
  { shape, base = 10_000, offset = 0, pairing = 'adjacent' }: Reference,
  x: ArrayLike<number>,
  sign = 1,
): Float64Array {
  const [time, headDim] = [shape[2]!, shape[3]!];
  const output = new Float64Array(x.length);
  for (let row = 0; row < x.length / headDim; row++) {
    for (let pair = 0; pair < headDim / 2; pair++) {
      const angle = (sign * (offset + (row % time))) / base ** ((2 * pair) / headDim);
      const first = row * headDim + (pairing === 'adjacent' ? 2 * pair : pair);
      const second = first + (pairing === 'adjacent' ? 1 : headDim / 2);
      output[first] = x[first]! * Math.cos(angle) - x[second]! * Math.sin(angle);
      output[second] = x[first]! * Math.sin(angle) + x[second]! * Math.cos(angle);
    }
  }
  return output;
}
