import type { DataId, DataType, TensorInfo } from '@tensorflow/tfjs-core';

/** What the kernels use of tfjs's `BackendWasm`. Declared here, for a kernel imports no backend. */
export interface WasmBackend {
  /** The Emscripten module that holds the tensors. */
  readonly wasm: EmscriptenModule;
  readonly dataIdMap: { get(dataId: DataId): WasmTensorData };
  /** Allocates a tensor on the heap; its contents are what was there before. Any allocation may grow the memory and detach views. */
  makeOutput(shape: number[], dtype: DataType): TensorInfo;
  disposeData(dataId: DataId, force?: boolean): boolean;
  /** Counts one more tensor on the data. */
  incRef(dataId: DataId): void;
  numDataIds(): number;
}

/** What the kernels use of the Emscripten module of tfjs. Its `HEAPU8` is replaced when the memory grows. */
export interface EmscriptenModule {
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  readonly HEAPU8: Uint8Array;
  /** The exports of the single-threaded build, its memory among them. */
  readonly asm?: { readonly memory?: WebAssembly.Memory };
  /** The memory of the threaded build, which imports it. */
  readonly wasmMemory?: WebAssembly.Memory;
}

/** One tensor on tfjs's heap. */
export interface WasmTensorData {
  readonly id: number;
  readonly memoryOffset: number;
  readonly shape: number[];
  readonly dtype: DataType;
}

/**
 * The memory that a backend's tensors lie in.
 *
 * @throws Error if the object is not tfjs's WASM backend.
 */
export function wasmMemory(backend: WasmBackend): WebAssembly.Memory {
  const memory = backend.wasm?.asm?.memory ?? backend.wasm?.wasmMemory;
  if (!memory) throw new Error("the backend given is not tfjs's 'wasm' backend: it has no WebAssembly memory");
  return memory;
}

/** The address of a tensor's first element on the heap, valid until the tensor is disposed; growth does not move it. */
export function tensorPointer(backend: WasmBackend, info: TensorInfo): number {
  // Above 2 GiB Emscripten's signed addresses are negative.
  return backend.dataIdMap.get(info.dataId).memoryOffset >>> 0;
}
