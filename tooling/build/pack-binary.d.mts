/** A binary as text for a single-quoted string literal, which `unpackBinary` of tensor-ops reads. */
export declare function packBinary(bytes: Uint8Array): string;
