import { normBinaries } from '../generated/norm';
import type { FusedKernel } from '../operator/types';
import { defineWasmModule, placeTensors, type WasmBackend, withScratch } from '../wasm/index';

const module = /* @__PURE__ */ defineWasmModule<'forward' | 'backward'>(normBinaries);

/** Normalisation of rows; `centred` with their mean taken off. */
function wasmNorm(centred: boolean): FusedKernel {
  return {
    run(call) {
      const { attributes, sizes } = call;
      const wasm = call.backend as WasmBackend;
      const { outputs, addressOf } = placeTensors(wasm, call);
      const tensors = ['x', 'gain', 'bias', 'output', 'moments'].map(addressOf);
      module.exports(wasm).forward(...tensors, sizes['...rows']!, sizes.dim!, Number(centred), attributes.epsilon as number);
      return outputs;
    },
  };
}

/** Both passes over a row while it is in the cache; the sums over rows go along. */
function wasmNormBackward(centred: boolean): FusedKernel {
  return {
    run(call) {
      const { sizes } = call;
      const wasm = call.backend as WasmBackend;
      return withScratch(wasm, 8 * sizes.dim!, (scratch) => {
        const { outputs, addressOf } = placeTensors(wasm, call);
        const tensors = ['x', 'gain', 'moments', 'dOutput', 'dX', 'dGain', 'dBias'].map(addressOf);
        module.exports(wasm).backward(...tensors, scratch, sizes['...rows']!, sizes.dim!, Number(centred));
        return outputs;
      });
    },
  };
}

export const wasmLayerNorm = /* @__PURE__ */ wasmNorm(true);
export const wasmLayerNormBackward = /* @__PURE__ */ wasmNormBackward(true);
export const wasmRmsNorm = /* @__PURE__ */ wasmNorm(false);
export const wasmRmsNormBackward = /* @__PURE__ */ wasmNormBackward(false);
