import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  placeTensors,
  type WasmBackend,
  withScratch,
} from '@mixfold/tensor-ops';
import { aftConvBinaries } from '../generated/aft-conv';
import { type QueryActivation, queryActivations } from '../query-activation';
import { geometryOf } from './geometry';

const module = /* @__PURE__ */ defineWasmModule<'configure' | 'forward' | 'backward'>(aftConvBinaries);

/**
 * A kernel of AFT-conv whose arguments are the addresses of `tensors` in order, 0 for an absent one. The entries of assembly/aft-conv.kernel.ts have
 * that form.
 */
export function convKernel(entry: 'forward' | 'backward', tensors: readonly string[]): FusedKernel {
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }: KernelCall) {
      const wasm = backend as WasmBackend;
      const { configure, [entry]: kernel } = module.exports(wasm);
      const { batch, height, width, heads, headDim, windowHeight, windowWidth, causal } = geometryOf(
        sizes,
        attributes.causal === true,
      );
      const activation = queryActivations.indexOf(attributes.queryActivation as QueryActivation);
      const tail = inputs.memory === undefined ? 0 : windowWidth - 1;
      const shape = [batch, height, width, heads * headDim, heads, windowHeight, windowWidth, causal ? 1 : 0, tail];
      const bytes = configure(...shape, activation, entry === 'backward' ? 1 : 0);
      return withScratch(wasm, bytes, (scratch) => {
        const { outputs, addressOf } = placeTensors(wasm, { inputs, outputShapes });
        kernel(scratch, ...tensors.map(addressOf));
        return outputs;
      });
    },
  };
}

const sources = ['query', 'key', 'value', 'kernel', 'keyMask', 'memory'];

export const wasmConv = /* @__PURE__ */ convKernel('forward', [
  ...sources,
  ...['output', 'context', 'logNormalizer', 'logRest', 'finalMemory'],
]);

export const wasmConvBackward = /* @__PURE__ */ convKernel('backward', [
  ...sources,
  ...['context', 'logNormalizer', 'logRest', 'finalMemory', 'dOutput', 'dFinalMemory'],
  ...['dQuery', 'dKey', 'dValue', 'dKernel', 'dMemory'],
]);

/** The same kernels, for a call that is causal by name. */
const causal = (kernel: FusedKernel): FusedKernel => ({
  run: (call) => kernel.run({ ...call, attributes: { ...call.attributes, causal: true } }),
});

export const wasmStreaming = /* @__PURE__ */ causal(wasmConv);

export const wasmStreamingBackward = /* @__PURE__ */ causal(wasmConvBackward);
