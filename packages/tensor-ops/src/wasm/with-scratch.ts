import type { WasmBackend } from './wasm-backend';

/** A vector load that crosses a cache line costs two. */
const alignment = 64;

/**
 * Runs `work` with working memory on tfjs's heap, and frees it afterwards, also when `work` throws.
 *
 * @param bytes - size of the block; its contents are undefined.
 * @param work - gets the address, a multiple of 64; synchronous.
 * @throws Error if the heap cannot grow by that much.
 */
export function withScratch<T>(backend: WasmBackend, bytes: number, work: (pointer: number) => T): T {
  const block = backend.wasm._malloc(bytes + alignment - 1) >>> 0;
  if (block === 0)
    throw new Error(`the WASM heap has no room for ${bytes} bytes of working memory; dispose tensors or use smaller ones`);
  try {
    return work(Math.ceil(block / alignment) * alignment);
  } finally {
    backend.wasm._free(block);
  }
}
