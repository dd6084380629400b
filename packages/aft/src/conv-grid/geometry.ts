import { ShapeError } from '@mixfold/tensor-ops';

/** The sizes of an AFT-conv call on a grid; one dimension is a height of 1. */
export interface GridGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly heads: number;
  /** Channels of a head; they are contiguous. */
  readonly headDim: number;
  readonly windowHeight: number;
  readonly windowWidth: number;
  /** Which tap reads the target's own position. */
  readonly centerY: number;
  readonly centerX: number;
  /** Whether a target sees only the sources up to its own place. */
  readonly causal: boolean;
}

/** The geometry of a call from its axes: `time` and `window`, or `height`, `width` and their windows. */
export function geometryOf(sizes: Readonly<Record<string, number>>, causal: boolean): GridGeometry {
  const { batch, time, heads, window, dim } = sizes as Record<string, number>;
  const { height = 1, width = time!, windowHeight = 1, windowWidth = window! } = sizes;
  return {
    batch: batch!,
    height,
    width,
    heads: heads!,
    headDim: heads === 0 ? 0 : dim! / heads!,
    windowHeight,
    windowWidth,
    centerY: Math.floor((windowHeight - 1) / 2),
    centerX: causal ? windowWidth - 1 : Math.floor((windowWidth - 1) / 2),
    causal,
  };
}

/** The rules that axis words cannot say: a head has a whole number of channels, and a kernel has taps. Names no shapes. */
export function convRules(functionName: string) {
  return ({ key, value, kernel }: Readonly<Record<string, readonly number[]>>): Record<string, readonly number[]> => {
    const [heads, dim] = [key!.at(-1)!, value!.at(-1)!];
    if (heads > 0 ? dim % heads !== 0 : dim > 0) {
      throw new ShapeError(
        `${functionName}: heads must divide dim, got ${heads} heads in key [${key!.join(', ')}] and dim ${dim} in value [${value!.join(', ')}]` +
          `; ${dim} divides by ${divisors(dim).join(', ')}`,
      );
    }
    if (kernel!.slice(1).includes(0)) {
      throw new ShapeError(`${functionName}: kernel must have at least one tap, got [${kernel!.join(', ')}]`);
    }
    return {};
  };
}

/** The divisors of `n` up to 64, and itself. */
function divisors(n: number): number[] {
  return Array.from({ length: Math.min(n, 64) }, (_, i) => i + 1)
    .filter((i) => n % i === 0 && i < n)
    .concat(n);
}
