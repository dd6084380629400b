import type { TensorInfo } from '@tensorflow/tfjs-core';
import { normBinaries } from '../generated/norm';
import type { FusedKernel } from '../operator/types';
import { defineWasmModule, placeTensors, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';

const module = /* @__PURE__ */ defineWasmModule<'forward' | 'backward'>(normBinaries);

/** Normalisation of rows; `centred` with their mean taken off. */
function wasmNorm(centred: boolean): FusedKernel {
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }) {
      const wasm = backend as WasmBackend;
      const output = wasm.makeOutput(outputShapes.output!, 'float32');
      const moments = outputShapes.moments && wasm.makeOutput(outputShapes.moments, 'float32');
      const at = (info: TensorInfo | undefined) => (info ? tensorPointer(wasm, info) : 0);
      const tensors = [inputs.x, inputs.gain, inputs.bias, output, moments].map(at);
      module.exports(wasm).forward(...tensors, sizes['...rows']!, sizes.dim!, Number(centred), attributes.epsilon as number);
      return moments ? { output, moments } : { output };
    },
  };
}

/** Both passes over a row while it is in the cache; the sums over rows go along. */
function wasmNormBackward(centred: boolean): FusedKernel {
  return {
    run({ inputs, sizes, outputShapes, backend }) {
      const wasm = backend as WasmBackend;
      return withScratch(wasm, 8 * sizes.dim!, (scratch) => {
        const { outputs } = placeTensors(wasm, { inputs, outputShapes });
        const at = (info: TensorInfo | undefined) => (info ? tensorPointer(wasm, info) : 0);
        const given = [inputs.x, inputs.gain, inputs.moments, inputs.dOutput, outputs.dX, outputs.dGain, outputs.dBias].map(at);
        module.exports(wasm).backward(...given, scratch, sizes['...rows']!, sizes.dim!, Number(centred));
        return outputs;
      });
    },
  };
}

export const wasmLayerNorm = /* @__PURE__ */ wasmNorm(true);
export const wasmLayerNormBackward = /* @__PURE__ */ wasmNormBackward(true);
export const wasmRmsNorm = /* @__PURE__ */ wasmNorm(false);
export const wasmRmsNormBackward = /* @__PURE__ */ wasmNormBackward(false);
