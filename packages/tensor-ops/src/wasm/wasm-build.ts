import { show } from '../check-options';
import { OptionError } from '../errors';
import { registry } from '../operator/registry';

/** `simd128`: the same bits on every engine. `relaxed`: faster where the processor has a fused multiply-add; same bits on one machine. */
export type WasmBuild = 'simd128' | 'relaxed';

/**
 * Chooses the build of every package's WASM kernels, from the next call on.
 *
 * @param build - `'auto'` takes `relaxed` where the engine has it, else `simd128`. The default of a page is `simd128`.
 * @throws OptionError if the name is unknown, or if the engine has no relaxed SIMD (Safari today). Node 20 has it behind a flag of V8, which
 *   this call turns on.
 */
export function setWasmBuild(build: WasmBuild | 'auto'): void {
  if (build !== 'simd128' && build !== 'relaxed' && build !== 'auto') {
    throw new OptionError(`setWasmBuild: build must be 'simd128', 'relaxed' or 'auto', got ${show(build)}`);
  }
  if (build === 'simd128') {
    registry().wasmBuild = 'simd128';
    return;
  }
  const relaxed = enableRelaxedSimd();
  if (!relaxed && build === 'relaxed') {
    throw new OptionError("setWasmBuild: this engine has no relaxed SIMD; use 'auto', which falls back to 'simd128'");
  }
  registry().wasmBuild = relaxed ? 'relaxed' : 'simd128';
}

/** The build of the WASM kernels that runs now. */
export function wasmBuild(): WasmBuild {
  return registry().wasmBuild;
}

/** The module `(func (param v128 v128 v128) (result v128) (f32x4.relaxed_madd ...))`. */
const probe = [
  0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x01, 0x60, 0x03, 0x7b, 0x7b, 0x7b, 0x01, 0x7b, 0x03, 0x02, 0x01,
  0x00, 0x0a, 0x0d, 0x01, 0x0b, 0x00, 0x20, 0x00, 0x20, 0x01, 0x20, 0x02, 0xfd, 0x85, 0x02, 0x0b,
];

/** Whether the engine compiles relaxed SIMD, after turning it on where that takes a flag. */
function enableRelaxedSimd(): boolean {
  const hasIt = () => WebAssembly.validate(new Uint8Array(probe));
  if (hasIt()) return true;
  if (typeof process === 'undefined' || typeof process.getBuiltinModule !== 'function') return false;
  // Read when a module is compiled, so it is not too late for modules to come.
  process.getBuiltinModule('node:v8')?.setFlagsFromString('--experimental-wasm-relaxed-simd');
  return hasIt();
}
