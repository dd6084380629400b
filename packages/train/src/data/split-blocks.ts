/** Bytes of one block of the split. */
export const BLOCK_BYTES = 8192;

/** Every twentieth block, counted from the twentieth, is held out. */
export const VALIDATION_STRIDE = 20;

/**
 * Splits a text into training and validation bytes: every twentieth block of 8 KiB is held out.
 *
 * Blocks lie all over the text, so both parts are of one kind, and no byte is in both. A text of fewer than twenty blocks is cut
 * into twenty equal ones instead. The seams where held-out blocks were taken out stay in the training bytes (one per 152 KiB).
 */
export function splitBlocks(text: Uint8Array): { training: Uint8Array; validation: Uint8Array } {
  const blockBytes = Math.max(1, Math.min(BLOCK_BYTES, Math.floor(text.length / VALIDATION_STRIDE)));
  const training: Uint8Array[] = [];
  const validation: Uint8Array[] = [];
  for (let block = 0; block * blockBytes < text.length; block++) {
    const part = text.subarray(block * blockBytes, (block + 1) * blockBytes);
    (block % VALIDATION_STRIDE === VALIDATION_STRIDE - 1 ? validation : training).push(part);
  }
  return { training: concatBytes(training), validation: concatBytes(validation) };
}

function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
