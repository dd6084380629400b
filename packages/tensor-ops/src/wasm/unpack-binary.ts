/** The place of a character among the printable ASCII characters other than ' and \. */
function placeOf(code: number): number {
  return code - 32 - (code > 39 ? 1 : 0) - (code > 92 ? 1 : 0);
}

/** The bytes of a kernel module from the text that `tooling/build/pack-binary.mjs` made of them, which says how. */
export function unpackBinary(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    let place = placeOf(text.charCodeAt(i));
    if (place >= 90) place = 90 + 93 * (place - 90) + placeOf(text.charCodeAt(++i));
    bytes.push((place + 253) % 256);
  }
  return Uint8Array.from(bytes);
}
