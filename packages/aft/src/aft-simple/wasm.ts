import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  tensorPointer,
  type WasmBackend,
  withScratch,
} from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { aftSimpleBinaries } from '../generated/aft-simple';
import { type QueryActivation, queryActivations } from '../query-activation';

const module = /* @__PURE__ */ defineWasmModule<
  'forward' | 'backward' | 'scratchFloats' | 'causalForward' | 'causalBackward' | 'causalScratchFloats'
>(aftSimpleBinaries);

type Entry = 'forward' | 'backward' | 'causalForward' | 'causalBackward';

/**
 * A kernel whose arguments are the addresses of `tensors` in order (0 for an absent one), the scratch, the sizes and the activation.
 * Every exported function of assembly/aft-simple.kernel.ts has that form.
 */
function simpleKernel(
  entry: Entry,
  scratchSize: 'scratchFloats' | 'causalScratchFloats',
  tensors: readonly string[],
): FusedKernel {
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }: KernelCall) {
      const wasm = backend as WasmBackend;
      const exports = module.exports(wasm);
      const { batch, time, dim } = sizes as { batch: number; time: number; dim: number };
      const activation = queryActivations.indexOf(attributes.queryActivation as QueryActivation);
      return withScratch(wasm, 4 * exports[scratchSize](dim), (scratch) => {
        const outputs: Record<string, TensorInfo> = {};
        for (const [name, shape] of Object.entries(outputShapes)) outputs[name] = wasm.makeOutput(shape, 'float32');
        const addresses = tensors.map((name) => {
          const tensor = inputs[name] ?? outputs[name];
          return tensor === undefined ? 0 : tensorPointer(wasm, tensor);
        });
        exports[entry](...addresses, scratch, batch, time, dim, activation);
        return outputs;
      });
    },
  };
}

export const wasmAftSimple = /* @__PURE__ */ simpleKernel('forward', 'scratchFloats', [
  'query',
  'key',
  'value',
  'keyMask',
  'output',
  'context',
  'logNormalizer',
]);

export const wasmAftSimpleBackward = /* @__PURE__ */ simpleKernel('backward', 'scratchFloats', [
  'query',
  'key',
  'value',
  'keyMask',
  'context',
  'logNormalizer',
  'dOutput',
  'dQuery',
  'dKey',
  'dValue',
]);

export const wasmAftSimpleCausal = /* @__PURE__ */ simpleKernel('causalForward', 'causalScratchFloats', [
  'query',
  'key',
  'value',
  'keyMask',
  'initialState',
  'output',
  'finalState',
  'context',
  'logNormalizer',
]);

export const wasmAftSimpleCausalBackward = /* @__PURE__ */ simpleKernel('causalBackward', 'causalScratchFloats', [
  'query',
  'key',
  'value',
  'keyMask',
  'initialState',
  'finalState',
  'context',
  'logNormalizer',
  'dOutput',
  'dFinalState',
  'dQuery',
  'dKey',
  'dValue',
  'dInitialState',
]);
