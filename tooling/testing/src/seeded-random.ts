import type { ShapedValues } from './values';

/**
 * Random numbers that are the same on every machine and backend, drawn as float32 so that a float64 reference and a float32
 * kernel start from equal inputs. Mulberry32: quality enough for tests, and one line to check.
 */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** Uniform in [low, high). */
  uniform(low = 0, high = 1): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return low + ((high - low) * ((bits ^ (bits >>> 14)) >>> 0)) / 2 ** 32;
  }

  /** Normal by Box and Muller. */
  normal(mean = 0, deviation = 1): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return mean + deviation * radius * Math.cos(2 * Math.PI * this.uniform());
  }

  /** Whole number in [0, below). */
  integer(below: number): number {
    return Math.floor(this.uniform(0, below));
  }

  /** Normal values of a shape, rounded to float32. */
  normals(shape: readonly number[], deviation = 1): ShapedValues & { data: Float64Array } {
    return this.#fill(shape, () => Math.fround(this.normal(0, deviation)));
  }

  /** Uniform values of a shape, rounded to float32. */
  uniforms(shape: readonly number[], low = 0, high = 1): ShapedValues & { data: Float64Array } {
    return this.#fill(shape, () => Math.fround(this.uniform(low, high)));
  }

  /** Zeros and ones of a shape, one with the given probability. */
  mask(shape: readonly number[], probability = 0.7): ShapedValues & { data: Float64Array } {
    return this.#fill(shape, () => (this.uniform() < probability ? 1 : 0));
  }

  #fill(shape: readonly number[], next: () => number): ShapedValues & { data: Float64Array } {
    const size = shape.reduce((product, n) => product * n, 1);
    return { shape: [...shape], data: Float64Array.from({ length: size }, next) };
  }
}
