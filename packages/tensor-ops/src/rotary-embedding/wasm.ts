import { rotaryEmbeddingBinaries } from '../generated/rotary-embedding';
import type { FusedKernel } from '../operator/types';
import { defineWasmModule, tensorPointer, type WasmBackend } from '../wasm/index';

const module = /* @__PURE__ */ defineWasmModule<'rotate'>(rotaryEmbeddingBinaries);

function rotaryKernel(input: string, output: string, sign: number): FusedKernel {
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }) {
      const wasm = backend as WasmBackend;
      const { batch, heads, time, headDim } = sizes as Record<'batch' | 'heads' | 'time' | 'headDim', number>;
      const { rotate } = module.exports(wasm);
      const made = wasm.makeOutput(outputShapes[output]!, 'float32');
      const pointers = [inputs[input]!, inputs.table!, made].map((info) => tensorPointer(wasm, info));
      rotate(...pointers, batch * heads, time, headDim, Number(attributes.pairing === 'halves'), sign);
      return { [output]: made };
    },
  };
}

export const wasmRotary = /* @__PURE__ */ rotaryKernel('x', 'output', 1);
export const wasmRotaryBackward = /* @__PURE__ */ rotaryKernel('dOutput', 'dX', -1);
