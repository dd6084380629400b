/** Sizes of a structured convolution. */
export interface ConvolutionSizes {
  readonly batch: number;
  readonly terms: number;
  readonly source: number;
  readonly target: number;
  readonly inputDim: number;
  readonly outputDim: number;
}

interface ConvolutionInputs {
  /** `[batch, source, inputDim]`. */
  readonly x: ArrayLike<number>;
  /** `[terms, source, target]`, or the same behind `batch`. */
  readonly basis: ArrayLike<number>;
  /** `[terms, inputDim, outputDim]`. */
  readonly theta: ArrayLike<number>;
  readonly bias?: ArrayLike<number> | undefined;
}

/** `y_bnq = sum_kmp A_kmn x_bmp Theta_kpq + bias_q`, by its definition, in float64. */
export function convolutionReference(sizes: ConvolutionSizes, { x, basis, theta, bias }: ConvolutionInputs): Float64Array {
  const { batch, terms, source, target, inputDim, outputDim } = sizes;
  const y = new Float64Array(batch * target * outputDim);
  const perSample = basis.length === terms * source * target ? 0 : terms * source * target;
  for (let b = 0; b < batch; b++) {
    for (let n = 0; n < target; n++) {
      for (let q = 0; q < outputDim; q++) {
        let sum = bias?.[q] ?? 0;
        for (let k = 0; k < terms; k++) {
          for (let m = 0; m < source; m++) {
            const weight = basis[b * perSample + (k * source + m) * target + n]!;
            if (weight === 0) continue;
            for (let p = 0; p < inputDim; p++) {
              sum += weight * x[(b * source + m) * inputDim + p]! * theta[(k * inputDim + p) * outputDim + q]!;
            }
          }
        }
        y[(b * target + n) * outputDim + q] = sum;
      }
    }
  }
  return y;
}
