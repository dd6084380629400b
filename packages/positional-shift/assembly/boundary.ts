// Which places of an axis a shift reads. The numbers are part of the interface of the modules (`src/boundary.ts`). Offsets are no longer than the axis.

export namespace Boundary {
  export const ZERO: i32 = 0;
  export const CIRCULAR: i32 = 1;
  export const REPLICATE: i32 = 2;
  export const REFLECT: i32 = 3;
}

/** What `place` means on the axis: itself inside, -1 for zeros. */
// @ts-ignore: decorator
@inline
export function resolved(place: i32, length: i32, boundary: i32): i32 {
  if (<u32>place < <u32>length) return place;
  if (boundary == Boundary.ZERO) return -1;
  if (boundary == Boundary.CIRCULAR) return place < 0 ? place + length : place - length;
  if (boundary == Boundary.REPLICATE) return place < 0 ? 0 : length - 1;
  return place < 0 ? -place : 2 * (length - 1) - place;
}

// A shift reads one place or none. Its adjoint reads what reads a place: a stretch, and perhaps one place more. The three functions below say which;
// for the shift itself the stretch is one place long, or empty.

/** The first of the places that stand for `place`. */
export function firstOf(place: i32, offset: i32, length: i32, boundary: i32, adjoint: bool): i32 {
  if (!adjoint) return max(0, resolved(place - offset, length, boundary));
  const main = place + offset;
  if (boundary == Boundary.REPLICATE) {
    if (place == 0) return 0;
    return place == length - 1 ? max(0, min(length, main)) : max(0, main);
  }
  if (boundary == Boundary.CIRCULAR) return resolved(main, length, boundary);
  return max(0, main);
}

/** The place after the last one of the stretch. */
export function endOf(place: i32, offset: i32, length: i32, boundary: i32, adjoint: bool): i32 {
  if (!adjoint) return resolved(place - offset, length, boundary) + 1;
  const main = place + offset;
  if (boundary == Boundary.REPLICATE) {
    if (place == length - 1) return length;
    if (place == 0) return max(0, min(length, main + 1));
  }
  if (boundary == Boundary.CIRCULAR) return resolved(main, length, boundary) + 1;
  return <u32>main < <u32>length ? main + 1 : 0;
}

/** One place more, or -1. */
export function otherOf(place: i32, offset: i32, length: i32, boundary: i32, adjoint: bool): i32 {
  if (!adjoint || boundary != Boundary.REFLECT || offset == 0) return -1;
  const isBehind = offset > 0;
  if (place == (isBehind ? 0 : length - 1)) return -1;
  const other = offset - place + (isBehind ? 0 : 2 * (length - 1));
  return <u32>other < <u32>length ? other : -1;
}
