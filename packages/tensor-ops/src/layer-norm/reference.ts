export interface NormCall {
  readonly x: ArrayLike<number>;
  readonly gain: ArrayLike<number>;
  readonly bias?: ArrayLike<number> | undefined;
  readonly epsilon: number;
  /** Whether the mean is taken off: layer normalisation; without it RMS normalisation. */
  readonly centred: boolean;
}

/** Normalisation of rows as wide as `gain`, by its definition, in float64. */
export function normReference({ x, gain, bias, epsilon, centred }: NormCall): Float64Array {
  const width = gain.length;
  const output = new Float64Array(x.length);
  for (let begin = 0; begin < x.length; begin += width) {
    const row = Array.from({ length: width }, (_, j) => x[begin + j]!);
    const mean = centred ? row.reduce((sum, value) => sum + value, 0) / width : 0;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    for (let j = 0; j < width; j++)
      output[begin + j] = ((row[j]! - mean) / Math.sqrt(variance + epsilon)) * gain[j]! + (bias?.[j] ?? 0);
  }
  return output;
}

/** The gradient of `normReference`, by the chain rule through mean and variance. */
export function normGradientReference(call: NormCall, dOutput: ArrayLike<number>) {
  const { x, gain, epsilon, centred } = call;
  const width = gain.length;
  const [dX, dGain, dBias] = [new Float64Array(x.length), new Float64Array(width), new Float64Array(width)];
  for (let begin = 0; begin < x.length; begin += width) {
    const row = Array.from({ length: width }, (_, j) => x[begin + j]!);
    const mean = centred ? row.reduce((sum, value) => sum + value, 0) / width : 0;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width;
    const deviation = Math.sqrt(variance + epsilon);
    const received = row.map((_, j) => dOutput[begin + j]! * gain[j]!);
    const dVariance = received.reduce((sum, g, j) => sum - (g * (row[j]! - mean)) / (2 * deviation ** 3), 0);
    const dMean = centred ? received.reduce((sum, g) => sum - g / deviation, 0) : 0;
    for (let j = 0; j < width; j++) {
      dX[begin + j] = received[j]! / deviation + (dVariance * 2 * (row[j]! - mean)) / width + dMean / width;
      dGain[j]! += (dOutput[begin + j]! * (row[j]! - mean)) / deviation;
      dBias[j]! += dOutput[begin + j]!;
    }
  }
  return { dX, dGain, dBias };
}
