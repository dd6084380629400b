export { type PlacedTensors, placeTensors } from './place-tensors';
export { tensorPointer, type WasmBackend } from './wasm-backend';
export { setWasmBuild, type WasmBuild, wasmBuild } from './wasm-build';
export { defineWasmModule, type WasmExports, type WasmModule } from './wasm-module';
export { withScratch } from './with-scratch';
