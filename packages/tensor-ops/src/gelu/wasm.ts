import { util } from '@tensorflow/tfjs-core';
import { geluBinaries } from '../generated/gelu';
import type { FusedKernel } from '../operator/types';
import { defineWasmModule, tensorPointer, type WasmBackend } from '../wasm/index';

const module = /* @__PURE__ */ defineWasmModule<'forward' | 'backward'>(geluBinaries);

/** A kernel that reads `names` element by element and makes one tensor of their shape. */
function elementwise(entry: 'forward' | 'backward', names: string, made: string): FusedKernel {
  return {
    run({ inputs, attributes, outputShapes, backend }) {
      const wasm = backend as WasmBackend;
      const shape = outputShapes[made]!;
      const output = wasm.makeOutput(shape, 'float32');
      const tensors = [...names.split(' ').map((name) => inputs[name]!), output].map((info) => tensorPointer(wasm, info));
      module.exports(wasm)[entry](...tensors, util.sizeFromShape(shape), Number(attributes.approximate === 'tanh'));
      return { [made]: output };
    },
  };
}

export const wasmGelu = /* @__PURE__ */ elementwise('forward', 'x', 'output');
export const wasmGeluBackward = /* @__PURE__ */ elementwise('backward', 'x dOutput', 'dX');
