import { util } from '@tensorflow/tfjs-core';
import { dropoutBinaries } from '../generated/dropout';
import type { FusedKernel } from '../operator/types';
import { defineWasmModule, tensorPointer, type WasmBackend } from '../wasm/index';
import { type DropoutAttributes, dropoutPlan } from './random-bits';

const module = /* @__PURE__ */ defineWasmModule<'dropout'>(dropoutBinaries);

function dropoutKernel(input: string, output: string): FusedKernel {
  return {
    run({ inputs, attributes, outputShapes, backend }) {
      const wasm = backend as WasmBackend;
      const shape = outputShapes[output]!;
      const { first, second, threshold, scale } = dropoutPlan(attributes as DropoutAttributes);
      const { dropout } = module.exports(wasm);
      const made = wasm.makeOutput(shape, 'float32');
      const size = util.sizeFromShape(shape);
      dropout(tensorPointer(wasm, inputs[input]!), tensorPointer(wasm, made), size, first, second, threshold, scale);
      return { [output]: made };
    },
  };
}

export const wasmDropout = /* @__PURE__ */ dropoutKernel('x', 'output');
export const wasmDropoutBackward = /* @__PURE__ */ dropoutKernel('dOutput', 'dX');
