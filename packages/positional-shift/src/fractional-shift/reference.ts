import type { Boundary } from '../boundary';
import { placeOnAxis } from '../shift/reference';

/** `y_n = (1 - f) x_(n - i) + f x_(n - i - 1)` per head, and the gradients where a cotangent is given. */
export function fractionalShiftReference(
  x: ArrayLike<number>,
  offset: ArrayLike<number>,
  [, time, dim]: readonly [number, number, number],
  boundary: Boundary,
  cotangent?: ArrayLike<number>,
): { output: Float64Array; dX: Float64Array; dOffset: Float64Array } {
  const [output, dX, dOffset] = [new Float64Array(x.length), new Float64Array(x.length), new Float64Array(offset.length)];
  for (let i = 0; i < x.length; i++) {
    const head = Math.floor((i % dim) / (dim / offset.length));
    const n = Math.floor(i / dim) % time;
    const whole = Math.floor(offset[head]!);
    const rest = offset[head]! - whole;
    const at = (place: number) => {
      const source = placeOnAxis(place, time, boundary);
      return source < 0 ? -1 : i + (source - n) * dim;
    };
    const [near, far] = [at(n - whole), at(n - whole - 1)];
    const [a, b] = [near < 0 ? 0 : x[near]!, far < 0 ? 0 : x[far]!];
    output[i] = (1 - rest) * a + rest * b;
    if (cotangent === undefined) continue;
    if (near >= 0) dX[near]! += (1 - rest) * cotangent[i]!;
    if (far >= 0) dX[far]! += rest * cotangent[i]!;
    dOffset[head]! += cotangent[i]! * (b - a);
  }
  return { output, dX, dOffset };
}
