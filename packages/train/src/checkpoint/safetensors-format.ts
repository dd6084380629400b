/** Longest header that is read or written, in bytes; the same limit as the format's own library. */
export const MAX_HEADER_BYTES = 100_000_000;

/** Bytes of one element of every element type of the format. */
export const elementBytes: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  F64: 8,
  I64: 8,
  U64: 8,
};

/** Element types that can be written. */
export type WritableDType = 'F32' | 'I32' | 'BOOL';

/** Element types that can be read; half precision is widened to float32. */
export type ReadableDType = WritableDType | 'F16' | 'BF16';

/** A tensor as plain data: `F32`, `F16` and `BF16` hold a Float32Array, `I32` an Int32Array, `BOOL` a Uint8Array of 0 and 1. */
export interface SafeTensor {
  /** Element type in the file. */
  dtype: ReadableDType;
  shape: number[];
  data: Float32Array | Int32Array | Uint8Array;
}

/** What a safetensors file holds. Maps, so that no name can touch a prototype. */
export interface Safetensors {
  tensors: Map<string, SafeTensor>;
  metadata: Map<string, string>;
}
