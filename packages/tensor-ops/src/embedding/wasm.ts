import { util } from '@tensorflow/tfjs-core';
import { embeddingBinaries } from '../generated/embedding';
import type { FusedKernel } from '../operator/types';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';

const module = /* @__PURE__ */ defineWasmModule<'gatherRows' | 'scatterRows'>(embeddingBinaries);

export const wasmEmbedding: FusedKernel = {
  run({ inputs: { table, ids }, sizes: { classes, dim }, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { gatherRows } = module.exports(wasm);
    const output = wasm.makeOutput(outputShapes.output!, 'float32');
    const [from, at, to] = [table!, ids!, output].map((info) => tensorPointer(wasm, info)) as [number, number, number];
    gatherRows(from, at, to, util.sizeFromShape(ids!.shape), classes!, dim!);
    return { output };
  },
};

export const wasmEmbeddingBackward: FusedKernel = {
  run({ inputs: { ids, dOutput }, sizes: { classes, dim }, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { scatterRows } = module.exports(wasm);
    const count = util.sizeFromShape(ids!.shape);
    return withScratch(wasm, 4 * (classes! + 1 + count), (scratch) => {
      const dTable = wasm.makeOutput(outputShapes.dTable!, 'float32');
      const [from, at, to] = [dOutput!, ids!, dTable].map((info) => tensorPointer(wasm, info)) as [number, number, number];
      scatterRows(from, at, to, scratch, count, classes!, dim!);
      return { dTable };
    });
  },
};
