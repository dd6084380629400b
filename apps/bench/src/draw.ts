import { SeededRandom } from '@mixfold/testing/seeded-random';

/** Row-major numbers that an operator is given: float32, or int32 for ids. */
export interface Input {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
  /** Whether a gradient is asked for. */
  readonly trained: boolean;
  /** Its numbers are whole and below this: ids, masks. */
  readonly below?: number;
  /** None of its numbers is below 0. */
  readonly positive?: boolean;
}

/** How many normals are drawn. Longer inputs repeat them: the number is prime, so rows of one tensor still differ. */
const poolSize = 1_048_583;

let pool: Float32Array | undefined;

/** Inputs of benchmarks: the same numbers on every machine, and millions of them in no time. */
export class Draw {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  /** Normal numbers. */
  normals(shape: readonly number[], { deviation = 1, mean = 0, trained = true } = {}): Input {
    const data = new Float32Array(shape.reduce((size, n) => size * n, 1));
    const normals = (pool ??= drawPool());
    const start = this.#random.integer(poolSize);
    for (let i = 0, at = start; i < data.length; i++) {
      data[i] = mean + deviation * normals[at]!;
      if (++at === poolSize) at = 0;
    }
    return { shape: [...shape], data, trained };
  }

  /** The sizes of normal numbers; without a gradient. */
  positives(shape: readonly number[]): Input {
    const { data, ...rest } = this.normals(shape, { trained: false });
    return { ...rest, data: data.map(Math.abs) as Float32Array, positive: true };
  }

  /** Whole numbers in [0, below). */
  ids(shape: readonly number[], below: number): Input {
    const size = shape.reduce((product, n) => product * n, 1);
    const data = Int32Array.from({ length: size }, () => this.#random.integer(below));
    return { shape: [...shape], data, trained: false, below };
  }

  /** Zeros and ones as float32. */
  mask(shape: readonly number[]): Input {
    const { data, ...rest } = this.ids(shape, 2);
    return { ...rest, data: Float32Array.from(data) };
  }
}

function drawPool(): Float32Array {
  const random = new SeededRandom(1);
  return Float32Array.from({ length: poolSize }, () => random.normal());
}
