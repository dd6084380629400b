/**
 * A picture of at most 256 colours as a PNG, in a data URL. Its pixels are stored, not compressed: nothing here needs an inflater's other half.
 *
 * @param pixels - `[height, width]`, places in the palette. @param palette - red, green and blue of each colour.
 * @see https://www.w3.org/TR/png-3/
 */
export function pngUrl(pixels: Uint8Array, width: number, height: number, palette: Uint8Array): string {
  const rows = new Uint8Array(height * (width + 1));
  // Each row begins with its filter, 0 for none.
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  // 8 bits a pixel, by palette, deflate, filters of the standard, not interlaced.
  const header = Uint8Array.from([...bigEndian(width), ...bigEndian(height), 8, 3, 0, 0, 0]);
  const parts = [
    Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', header),
    chunk('PLTE', palette),
    chunk('IDAT', stored(rows)),
    chunk('IEND', new Uint8Array(0)),
  ];
  return `data:image/png;base64,${base64(concatenated(parts))}`;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const named = concatenated([Uint8Array.from(type, (letter) => letter.charCodeAt(0)), data]);
  return concatenated([Uint8Array.from(bigEndian(data.length)), named, Uint8Array.from(bigEndian(crc32(named)))]);
}

/** A zlib stream of blocks that are stored as they are. */
function stored(data: Uint8Array): Uint8Array {
  const most = 65535;
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < data.length || at === 0; at += most) {
    const block = data.subarray(at, at + most);
    const isLast = at + most >= data.length ? 1 : 0;
    const [low, high] = [block.length & 255, block.length >> 8];
    blocks.push(Uint8Array.from([isLast, low, high, 255 - low, 255 - high]), block);
  }
  return concatenated([Uint8Array.from([0x78, 0x01]), ...blocks, Uint8Array.from(bigEndian(adler32(data)))]);
}

const bigEndian = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);

function concatenated(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function crc32(data: Uint8Array): number {
  let crc = -1;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

function adler32(data: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}

function base64(data: Uint8Array): string {
  let text = '';
  // A call takes so many arguments only.
  for (let at = 0; at < data.length; at += 4096) text += String.fromCharCode(...data.subarray(at, at + 4096));
  return btoa(text);
}
