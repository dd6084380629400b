/**
 * WGSL that says which places of an axis a shift reads, or its adjoint: a stretch from `firstOf` to before `endOf`, and perhaps `otherOf`, else -1. Offsets are no
 * longer than the axis; `uniforms.boundary` counts in the order of `boundaries`. As `assembly/boundary.ts`.
 */
export function boundaryFunctions(adjoint: boolean): string {
  const parameters = 'place: i32, offset: i32, length: i32';
  const resolved = `
fn resolved(place: i32, length: i32) -> i32 {
  if (place >= 0 && place < length) { return place; }
  switch (uniforms.boundary) {
    case 1: { return select(place - length, place + length, place < 0); }
    case 2: { return select(length - 1, 0, place < 0); }
    case 3: { return select(2 * (length - 1) - place, -place, place < 0); }
    default: { return -1; }
  }
}`;
  if (!adjoint) {
    return `${resolved}
fn firstOf(${parameters}) -> i32 { return max(0, resolved(place - offset, length)); }
fn endOf(${parameters}) -> i32 { return resolved(place - offset, length) + 1; }
fn otherOf(${parameters}) -> i32 { return -1; }`;
  }
  return `${resolved}
fn firstOf(${parameters}) -> i32 {
  let main = place + offset;
  if (uniforms.boundary == 1) { return resolved(main, length); }
  if (uniforms.boundary == 2) { return select(clamp(main, 0, length), 0, place == 0); }
  return max(0, main);
}
fn endOf(${parameters}) -> i32 {
  let main = place + offset;
  if (uniforms.boundary == 1) { return resolved(main, length) + 1; }
  if (uniforms.boundary == 2) {
    if (place == length - 1) { return length; }
    if (place == 0) { return clamp(main + 1, 0, length); }
  }
  return select(0, main + 1, main >= 0 && main < length);
}
fn otherOf(${parameters}) -> i32 {
  if (uniforms.boundary != 3 || offset == 0 || place == select(length - 1, 0, offset > 0)) { return -1; }
  let other = offset - place + select(2 * (length - 1), 0, offset > 0);
  return select(-1, other, other >= 0 && other < length);
}`;
}
