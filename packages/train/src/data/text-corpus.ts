import { type ByteEntropy, byteEntropy } from './byte-entropy';
import { splitBlocks } from './split-blocks';

/** A text as bytes, split for training and validation. */
export interface TextCorpus {
  /** Where the text came from, for logs and reports. */
  source: string;
  training: Uint8Array;
  validation: Uint8Array;
  entropy: ByteEntropy;
}

/**
 * Splits a text and measures its order-0 and order-1 entropies.
 *
 * @throws RangeError if the text has fewer than 40 bytes: nothing could be held out.
 */
export function textCorpus(bytes: Uint8Array, source: string): TextCorpus {
  if (bytes.length < 40) throw new RangeError(`textCorpus: ${source} has ${bytes.length} bytes, but at least 40 are needed`);
  const { training, validation } = splitBlocks(bytes);
  return { source, training, validation, entropy: byteEntropy(training, validation) };
}
