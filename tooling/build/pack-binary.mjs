/**
 * A binary as text for a single-quoted string literal: what `unpackBinary` of tensor-ops reads. Bytes that WASM code uses most, 0xfd to 0x56, take one
 * character and the others two, so that gzip, which sees characters, finds the repetitions of the code: hexadecimal comes out a tenth larger.
 *
 * @param {Uint8Array} bytes
 * @returns {string} printable ASCII without ' and \
 */
export function packBinary(bytes) {
  let text = '';
  for (const byte of bytes) {
    const place = (byte + 3) % 256;
    text += place < 90 ? characters[place] : characters[90 + Math.floor((place - 90) / 93)] + characters[(place - 90) % 93];
  }
  return text;
}

/** The 93 printable ASCII characters other than ' and \. The last three begin a pair. */
const characters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter(
  (character) => !"'\\".includes(character),
);
