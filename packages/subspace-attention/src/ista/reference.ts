export interface IstaArguments {
  tokens: ArrayLike<number>;
  dictionary: ArrayLike<number>;
  dim: number;
  stepSize?: number;
  threshold?: number;
}

/** The product of a row by the dictionary, or by its transpose. */
function byDictionary(row: ArrayLike<number>, dictionary: ArrayLike<number>, transposed: boolean): Float64Array {
  const dim = row.length;
  return Float64Array.from({ length: dim }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < dim; k++) sum += row[k]! * dictionary[transposed ? i * dim + k : k * dim + i]!;
    return sum;
  });
}

const rowOf = (x: ArrayLike<number>, t: number, dim: number) => Float64Array.from({ length: dim }, (_, i) => x[t + i]!);

/** What the dictionary leaves of a row: x - x D^T. */
const restOf = (x: Float64Array, dictionary: ArrayLike<number>): Float64Array => {
  const explained = byDictionary(x, dictionary, true);
  return x.map((value, i) => value - explained[i]!);
};

/** ISTA by loops in float64. */
export function istaReference({ tokens, dictionary, dim, stepSize = 0.1, threshold = 0.1 }: IstaArguments): Float64Array {
  const out = new Float64Array(tokens.length);
  for (let t = 0; t < tokens.length; t += dim) {
    const x = rowOf(tokens, t, dim);
    const step = byDictionary(restOf(x, dictionary), dictionary, false);
    for (let i = 0; i < dim; i++) out[t + i] = Math.max(0, x[i]! + stepSize * step[i]! - stepSize * threshold);
  }
  return out;
}

/** Its gradients: row by row back through y = relu(x + eta r D - eta lambda), then r = x - x D^T. */
export function istaGradientReference(
  given: IstaArguments,
  dOutput: ArrayLike<number>,
): { tokens: Float64Array; dictionary: Float64Array } {
  const { tokens, dictionary, dim, stepSize = 0.1 } = given;
  const codes = istaReference(given);
  const [dTokens, dDictionary] = [new Float64Array(tokens.length), new Float64Array(dim * dim)];
  for (let t = 0; t < tokens.length; t += dim) {
    const x = rowOf(tokens, t, dim);
    const rest = restOf(x, dictionary);
    const arriving = rowOf(dOutput, t, dim).map((value, i) => (codes[t + i]! > 0 ? value : 0));
    const dStep = arriving.map((value) => stepSize * value);
    const dRest = byDictionary(dStep, dictionary, true);
    const dExplained = byDictionary(dRest, dictionary, false);
    for (let i = 0; i < dim; i++) {
      dTokens[t + i] = arriving[i]! + dRest[i]! - dExplained[i]!;
      for (let k = 0; k < dim; k++) dDictionary[i * dim + k]! += rest[i]! * dStep[k]! - dRest[i]! * x[k]!;
    }
  }
  return { tokens: dTokens, dictionary: dDictionary };
}
