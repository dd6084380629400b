import type { WasmBackend } from '@mixfold/tensor-ops';

/**
 * The most bytes that `work` had allocated at once on tfjs's heap, tensors and working memory together. What C++ allocates is not seen; it does
 * so inside a kernel of tfjs alone.
 */
export function peakHeapBytes({ wasm }: WasmBackend, work: () => void): number {
  const sizes = new Map<number, number>();
  const { _malloc: malloc, _free: free } = wasm;
  let [now, peak] = [0, 0];
  wasm._malloc = (bytes) => {
    const pointer = malloc(bytes);
    sizes.set(pointer, bytes);
    peak = Math.max(peak, (now += bytes));
    return pointer;
  };
  wasm._free = (pointer) => {
    now -= sizes.get(pointer) ?? 0;
    sizes.delete(pointer);
    free(pointer);
  };
  try {
    work();
  } finally {
    Object.assign(wasm, { _malloc: malloc, _free: free });
  }
  return peak;
}
