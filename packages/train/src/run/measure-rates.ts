import { dispose, fill, matMul, neg, randomUniform, slice, type Tensor, tidy } from '@tensorflow/tfjs-core';

/** What a device reaches in the two things that bound a model: multiplying matrices and moving memory. */
export interface Rates {
  /** 10^9 floating-point operations a second of a product of two square matrices of `matMulSize`. */
  readonly matMulGflops: number;
  readonly matMulSize: number;
  /** 10^9 bytes a second, read and written, of the copy (a negation) of `copyBytes`. */
  readonly copyGigabytes: number;
  readonly copyBytes: number;
}

const SAMPLES = 7;

/** Median seconds of a run, its result waited for: a GPU's queue returns before the work is done. */
async function medianSeconds(run: () => Tensor): Promise<number> {
  const seconds: number[] = [];
  for (let sample = -1; sample < SAMPLES; sample++) {
    const start = performance.now();
    const last = tidy(() => {
      const result = run();
      return slice(
        result,
        result.shape.map((size) => size - 1),
        result.shape.map(() => 1),
      );
    });
    await last.data();
    last.dispose();
    // The first run compiles and allocates.
    if (sample >= 0) seconds.push((performance.now() - start) / 1000);
  }
  return seconds.sort((a, b) => a - b)[SAMPLES >> 1]!;
}

/**
 * Measures the current backend; about a second.
 *
 * @param matMulSize - rows, columns and depth of the product.
 * @param copyBytes - a multiple of 4.
 */
export async function measureRates(matMulSize: number, copyBytes: number): Promise<Rates> {
  const [a, b] = [1, 2].map((seed) => randomUniform([matMulSize, matMulSize], -1, 1, 'float32', seed));
  const x = fill([copyBytes / 4], 1);
  try {
    const product = await medianSeconds(() => matMul(a!, b!));
    const copy = await medianSeconds(() => neg(x));
    return {
      matMulGflops: (2 * matMulSize ** 3) / product / 1e9,
      matMulSize,
      copyGigabytes: (2 * copyBytes) / copy / 1e9,
      copyBytes,
    };
  } finally {
    dispose([a!, b!, x]);
  }
}
