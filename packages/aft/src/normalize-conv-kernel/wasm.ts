import { defineWasmModule, type FusedKernel, type KernelCall, placeTensors, type WasmBackend } from '@mixfold/tensor-ops';
import { normalizeConvKernelBinaries } from '../generated/normalize-conv-kernel';

type Entry = 'normalize' | 'normalizeBackward';

const module = /* @__PURE__ */ defineWasmModule<Entry>(normalizeConvKernelBinaries);

/** A kernel whose arguments are the addresses of `tensors` in order, heads, taps per head, and epsilon. */
function kernelOf(entry: Entry, tensors: readonly string[]): FusedKernel {
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }: KernelCall) {
      const wasm = backend as WasmBackend;
      const { [entry]: kernel } = module.exports(wasm);
      const { outputs, addressOf } = placeTensors(wasm, { inputs, outputShapes });
      kernel(...tensors.map(addressOf), sizes.heads!, sizes['...taps']!, attributes.epsilon as number);
      return outputs;
    },
  };
}

export const wasmNormalize = /* @__PURE__ */ kernelOf('normalize', ['kernel', 'gain', 'bias', 'output']);

export const wasmNormalizeBackward = /* @__PURE__ */ kernelOf('normalizeBackward', [
  ...['kernel', 'gain', 'dOutput'],
  ...['dKernel', 'dGain', 'dBias'],
]);
