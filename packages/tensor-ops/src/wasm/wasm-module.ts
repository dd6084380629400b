import { registry } from '../operator/registry';
import { unpackBinary } from './unpack-binary';
import { type WasmBackend, wasmMemory } from './wasm-backend';
import type { WasmBuild } from './wasm-build';

/** The functions of a kernel module: numbers in (addresses, sizes, flags), a number or nothing out. */
export type WasmExports<Name extends string = string> = Readonly<Record<Name, (...args: number[]) => number>>;

/** Both builds of a kernel module, packed as text: pairs of a piece of `simd128` and one of `relaxed`. */
export type WasmBinaries = readonly (readonly [simd128: string, relaxed: string])[];

/** The packed text of one build. */
export function packedBuild(binaries: WasmBinaries, build: WasmBuild): string {
  return binaries.map(([simd128, relaxed]) => (build === 'relaxed' ? relaxed : simd128)).join('');
}

/** The WASM code of one operator, in two builds; see `defineWasmModule`. */
export interface WasmModule<Name extends string = string> {
  /**
   * The module's functions on the memory of `backend`, in the build now chosen by `setWasmBuild`. Compiled on first use.
   * They trust their arguments: a bad address traps, and a trap leaves tfjs's module unusable. Validate before calling.
   */
  exports(backend: WasmBackend): WasmExports<Name>;
}

/**
 * Declares a kernel module from the binaries that `tooling/build/kernels.mjs` generates. Nothing is decoded until it is used.
 *
 * @param binaries - both builds, packed as text. They import `env.memory` and own no data.
 * @example
 * const gemm = defineWasmModule<'gemm' | 'gemmScratchBytes'>(gemmBinaries);
 * gemm.exports(backend).gemm(a, b, out, rows, columns, depth);
 */
export function defineWasmModule<Name extends string = string>(binaries: WasmBinaries): WasmModule<Name> {
  const instances = new WeakMap<WebAssembly.Memory, Map<WasmBuild, WasmExports<Name>>>();
  return {
    exports(backend) {
      const memory = wasmMemory(backend);
      let builds = instances.get(memory);
      if (!builds) instances.set(memory, (builds = new Map()));
      const build = registry().wasmBuild;
      let exports = builds.get(build);
      if (!exports) builds.set(build, (exports = instantiate<Name>(packedBuild(binaries, build), memory)));
      return exports;
    },
  };
}

function instantiate<Name extends string>(packed: string, memory: WebAssembly.Memory): WasmExports<Name> {
  const instance = new WebAssembly.Instance(compileKernels(packed, isShared(memory)), { env: { memory } });
  return instance.exports as WasmExports<Name>;
}

/** Compiles a packed kernel module, for instances on a shared memory or on one that is not. */
export function compileKernels(packed: string, shared: boolean): WebAssembly.Module {
  const binary = unpackBinary(packed);
  if (shared) declareSharedMemory(binary);
  return new WebAssembly.Module(binary);
}

function isShared(memory: WebAssembly.Memory): boolean {
  return typeof SharedArrayBuffer !== 'undefined' && memory.buffer instanceof SharedArrayBuffer;
}

/** The end of the name of the import `env.memory`, then its kind (a memory) and its limits flag (with a maximum, unshared). */
const unsharedMemory = [...'memory'].map((character) => character.charCodeAt(0)).concat(2, 1);

/**
 * tfjs's threaded build, used in cross-origin-isolated pages, has a shared memory, and so have our worker threads in Node. Its type must be in the import;
 * the code is the same otherwise, so the one byte is changed instead of shipping another build.
 */
function declareSharedMemory(binary: Uint8Array): void {
  const at = binary.findIndex((_, start) => unsharedMemory.every((byte, i) => binary[start + i] === byte));
  if (at < 0) throw new Error('a WASM kernel module does not import env.memory with a maximum: rebuild the kernels');
  binary[at + unsharedMemory.length - 1] = 3;
}
