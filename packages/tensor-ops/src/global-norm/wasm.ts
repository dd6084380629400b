import { util } from '@tensorflow/tfjs-core';
import { globalNormBinaries } from '../generated/global-norm';
import type { FusedKernel } from '../operator/types';
import { itemsOf } from '../tensor-list/tensor-list';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';

const module = /* @__PURE__ */ defineWasmModule<'globalNorm'>(globalNormBinaries);

/** One pass over all tensors, by a table of their addresses. */
export const wasmGlobalNorm: FusedKernel = {
  run({ inputs, backend }) {
    const wasm = backend as WasmBackend;
    const tensors = itemsOf('tensors', inputs);
    return withScratch(wasm, 8 * tensors.length, (table) => {
      const norm = wasm.makeOutput([], 'float32');
      // Not before: an allocation may grow the memory, which detaches views of it.
      const words = new Uint32Array(wasm.wasm.HEAPU8.buffer, table, 2 * tensors.length);
      tensors.forEach((tensor, i) => {
        words.set([tensorPointer(wasm, tensor), util.sizeFromShape(tensor.shape)], 2 * i);
      });
      module.exports(wasm).globalNorm(table, tensors.length, tensorPointer(wasm, norm));
      return { norm };
    });
  },
};
