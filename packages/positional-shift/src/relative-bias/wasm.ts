import { defineWasmModule, type FusedKernel, tensorPointer, type WasmBackend, withScratch } from '@mixfold/tensor-ops';
import { relativeBiasBinaries } from '../generated/relative-bias';
import { acceptsPlaces } from '../wasm-offsets';

const module = /* @__PURE__ */ defineWasmModule<'spread' | 'collect'>(relativeBiasBinaries);

/** A copy per row. */
export const wasmRelativeBias: FusedKernel = {
  accepts: acceptsPlaces,
  run({ inputs: { values }, attributes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { spread } = module.exports(wasm);
    const [heads, columns] = values!.shape as [number, number];
    const n = attributes.length as number;
    return withScratch(wasm, 8 * n, (line) => {
      const bias = wasm.makeOutput(outputShapes.bias!, 'float32');
      spread(tensorPointer(wasm, values!), tensorPointer(wasm, bias), heads, columns, n, line);
      return { bias };
    });
  },
};

/** Rows are added where they were copied from. */
export const wasmRelativeBiasBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run({ inputs: { values, dBias }, attributes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { collect } = module.exports(wasm);
    const [heads, columns] = values!.shape as [number, number];
    const n = attributes.length as number;
    return withScratch(wasm, 16 * n, (line) => {
      const dValues = wasm.makeOutput(outputShapes.dValues!, 'float32');
      collect(tensorPointer(wasm, dBias!), tensorPointer(wasm, dValues), heads, columns, n, line);
      return { dValues };
    });
  },
};
