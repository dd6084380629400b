import type { Boundary } from '../boundary';

/** The place that `place` stands for on an axis, or -1 for none: step by step, back into the axis. */
export function placeOnAxis(place: number, length: number, boundary: Boundary): number {
  let at = place;
  while (at < 0 || at >= length) {
    if (boundary === 'zero') return -1;
    if (boundary === 'circular') at += at < 0 ? length : -length;
    else if (boundary === 'replicate') at += at < 0 ? 1 : -1;
    else at = at < 0 ? -at : 2 * (length - 1) - at;
  }
  return at;
}

/** `y[o, n, i] = x[o, n - offset, i]`, or, if `adjoint`, what goes back to x. */
export function shiftReference(
  x: ArrayLike<number>,
  [outer, length, inner]: readonly [number, number, number],
  offset: number,
  boundary: Boundary,
  adjoint = false,
): Float64Array {
  const result = new Float64Array(x.length);
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < length; n++) {
      const source = placeOnAxis(n - offset, length, boundary);
      if (source < 0) continue;
      for (let i = 0; i < inner; i++) {
        const [target, from] = [(o * length + n) * inner + i, (o * length + source) * inner + i];
        if (adjoint) result[from]! += x[target]!;
        else result[target] = x[from]!;
      }
    }
  }
  return result;
}
