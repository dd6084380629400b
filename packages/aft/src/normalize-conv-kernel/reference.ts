/** A kernel `[heads, taps]` normalised over its taps, and its gradients, in float64 straight from eq. 8 of the paper. */
export function normalizeConvKernelReference(
  { heads, taps, epsilon }: { heads: number; taps: number; epsilon: number },
  { kernel, gain, bias }: { kernel: ArrayLike<number>; gain: ArrayLike<number>; bias: ArrayLike<number> },
): Float64Array {
  const output = new Float64Array(heads * taps);
  for (let h = 0; h < heads; h++) {
    const row = Array.from({ length: taps }, (_, r) => kernel[h * taps + r]!);
    const mean = row.reduce((sum, x) => sum + x, 0) / taps;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / taps;
    row.forEach((x, r) => {
      output[h * taps + r] = (gain[h]! * (x - mean)) / Math.sqrt(variance + epsilon) + bias[h]!;
    });
  }
  return output;
}
