import type { Boundary } from './boundary';

/** The place itself inside the axis; -1 for zeros. */
const resolved: Record<Boundary, string> = {
  zero: 'return -1;',
  circular: 'return select(place - length, place + length, place < 0);',
  replicate: 'return select(length - 1, 0, place < 0);',
  reflect: 'return select(2 * (length - 1) - place, -place, place < 0);',
};

/** Whether the adjoint of a shift with this boundary is a shift with it, by the opposite offset. */
export const isOwnAdjoint = (boundary: Boundary): boolean => boundary === 'zero' || boundary === 'circular';

/**
 * WGSL that says which places of an axis a shift reads, or its adjoint: a stretch from `firstOf` to before `endOf`, and perhaps `otherOf`, else -1.
 * As `assembly/boundary.ts`. Offsets are no longer than the axis. The adjoint of `zero` and `circular` is their shift by the opposite offset.
 */
export function boundaryFunctions(boundary: Boundary, adjoint: boolean): string {
  const parameters = 'place: i32, offset: i32, length: i32';
  const source = `
fn resolved(place: i32, length: i32) -> i32 {
  if (place >= 0 && place < length) { return place; }
  ${resolved[boundary]}
}`;
  if (!adjoint || isOwnAdjoint(boundary)) {
    const read = adjoint ? 'place + offset' : 'place - offset';
    return `${source}
fn firstOf(${parameters}) -> i32 { return max(0, resolved(${read}, length)); }
fn endOf(${parameters}) -> i32 { return resolved(${read}, length) + 1; }
fn otherOf(${parameters}) -> i32 { return -1; }`;
  }
  if (boundary === 'replicate') {
    return `
fn firstOf(${parameters}) -> i32 { return select(clamp(place + offset, 0, length), 0, place == 0); }
fn endOf(${parameters}) -> i32 {
  if (place == length - 1) { return length; }
  let end = place + offset + 1;
  return select(select(0, end, end >= 1 && end <= length), clamp(end, 0, length), place == 0);
}
fn otherOf(${parameters}) -> i32 { return -1; }`;
  }
  return `
fn firstOf(${parameters}) -> i32 { return max(0, place + offset); }
fn endOf(${parameters}) -> i32 {
  let end = place + offset + 1;
  return select(0, end, end >= 1 && end <= length);
}
fn otherOf(${parameters}) -> i32 {
  if (offset == 0 || place == select(length - 1, 0, offset > 0)) { return -1; }
  let other = offset - place + select(2 * (length - 1), 0, offset > 0);
  return select(-1, other, other >= 0 && other < length);
}`;
}
