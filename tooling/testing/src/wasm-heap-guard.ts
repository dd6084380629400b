interface WasmBackendLike {
  readonly wasm: {
    _malloc(bytes: number): number;
    _free(pointer: number): void;
    readonly HEAPU8: Uint8Array;
  };
}

const counters = new WeakMap<object, { blocks: number }>();

/**
 * Watches the heap of tfjs's WASM module: counts the blocks that JavaScript holds, and fills fresh ones with 0xff (NaN as
 * float32), so that a kernel which reads what it never wrote is found out.
 *
 * @remarks Calls from C++ are not seen. Idempotent per backend.
 */
export function watchWasmHeap(backend: unknown): void {
  const { wasm } = backend as WasmBackendLike;
  if (counters.has(wasm)) return;
  const counter = { blocks: 0 };
  counters.set(wasm, counter);
  // The loader's own _malloc and _free put the module's in their place when first called.
  wasm._free(wasm._malloc(8));
  const malloc = wasm._malloc;
  const free = wasm._free;
  wasm._malloc = (bytes) => {
    const pointer = malloc(bytes);
    if (pointer !== 0) {
      counter.blocks++;
      wasm.HEAPU8.fill(0xff, pointer >>> 0, (pointer >>> 0) + bytes);
    }
    return pointer;
  };
  wasm._free = (pointer) => {
    // tfjs frees the address null of a string tensor, which has no block.
    if (pointer) counter.blocks--;
    free(pointer);
  };
}

/** Blocks held since the watch began; 0 on another backend. */
export function heldWasmBlocks(backend: unknown): number {
  const wasm = (backend as Partial<WasmBackendLike>).wasm;
  return (wasm && counters.get(wasm)?.blocks) ?? 0;
}
