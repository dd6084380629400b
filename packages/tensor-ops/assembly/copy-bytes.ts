/** The engine's own copy is a call: it pays from here on. */
const LONG: usize = 512;

/** Copies bytes between places that do not overlap. */
// @ts-ignore: decorator
@inline
export function copyBytes(to: usize, from: usize, bytes: usize): void {
  if (bytes >= LONG) {
    memory.copy(to, from, bytes);
    return;
  }
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(to + i, v128.load(from + i));
  for (; i + 4 <= bytes; i += 4) store<u32>(to + i, load<u32>(from + i));
  for (; i < bytes; i++) store<u8>(to + i, load<u8>(from + i));
}
