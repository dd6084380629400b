/** Bytes that are not a safetensors file, or tensors that cannot be written as one. Test it by `error.name`. */
export class SafetensorsError extends Error {
  override readonly name = 'SafetensorsError';
}
