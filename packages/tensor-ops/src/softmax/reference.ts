import { linesOf } from '../lines/lines';

/** Every line of a tensor along an axis, replaced by what `f` makes of it, in float64. */
export function mapLines(
  data: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  f: (line: number[], places: number[]) => ArrayLike<number>,
): Float64Array {
  const { outer, count, inner } = linesOf(shape, axis);
  const output = new Float64Array(data.length);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const places = Array.from({ length: count }, (_, j) => (o * count + j) * inner + i);
      const made = f(
        places.map((place) => data[place]!),
        places,
      );
      for (const [j, place] of places.entries()) output[place] = made[j]!;
    }
  }
  return output;
}

/** Softmax by its definition; `mask` has the shape of `x`. */
export function softmaxReference(
  x: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  mask?: ArrayLike<number>,
): Float64Array {
  return mapLines(x, shape, axis, (line, places) => {
    const seen = places.map((place) => mask === undefined || mask[place] !== 0);
    const largest = Math.max(...line.filter((_, j) => seen[j]));
    const weights = line.map((value, j) => (seen[j] ? Math.exp(value - largest) : 0));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return weights.map((weight) => (total === 0 ? 0 : weight / total));
  });
}

/** The gradient of softmax, from its output. */
export function softmaxGradientReference(
  output: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  dOutput: ArrayLike<number>,
): Float64Array {
  return mapLines(output, shape, axis, (weights, places) => {
    const mean = weights.reduce((sum, weight, j) => sum + weight * dOutput[places[j]!]!, 0);
    return weights.map((weight, j) => weight * (dOutput[places[j]!]! - mean));
  });
}

/** ln of the sum of exponentials along an axis, which it drops. */
export function logSumExpReference(x: ArrayLike<number>, shape: readonly number[], axis: number): Float64Array {
  const sums: number[] = [];
  mapLines(x, shape, axis, (line) => {
    const largest = Math.max(...line);
    sums.push(largest + Math.log(line.reduce((sum, value) => sum + Math.exp(value - largest), 0)));
    return line;
  });
  return Float64Array.from(sums);
}
