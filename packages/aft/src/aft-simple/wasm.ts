import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  placeTensors,
  type WasmBackend,
  withScratch,
} from '@mixfold/tensor-ops';
import { util } from '@tensorflow/tfjs-core';
import { aftSimpleBinaries } from '../generated/aft-simple';
import { type QueryActivation, queryActivations } from '../query-activation';

type Entry = 'forward' | 'backward' | 'causalForward' | 'causalBackward';

const module = /* @__PURE__ */ defineWasmModule<Entry | 'scratchBytes' | 'copyRows'>(aftSimpleBinaries);

/** The kernels work on vectors of four channels. */
const LEAST_DIM = 4;

/**
 * A kernel whose arguments are the addresses of `tensors` in order (0 for an absent one), the scratch, the sizes and the activation.
 * Every entry of assembly/aft-simple.kernel.ts has that form.
 */
function simpleKernel(entry: Entry, names: string): FusedKernel {
  const tensors = names.split(' ');
  return {
    run({ inputs, attributes, sizes, outputShapes, backend }: KernelCall) {
      const wasm = backend as WasmBackend;
      const { scratchBytes, copyRows, [entry]: kernel } = module.exports(wasm);
      const { batch, time, dim } = sizes as { batch: number; time: number; dim: number };
      const width = Math.max(dim, LEAST_DIM);
      const activation = queryActivations.indexOf(attributes.queryActivation as QueryActivation);
      const shapeOf = (name: string) => inputs[name]?.shape ?? outputShapes[name];
      const rowsOf = (name: string) => util.sizeFromShape(shapeOf(name)!) / dim;
      // Narrower rows are copied into wide ones; what the further lanes hold reaches no channel.
      const widened = width === dim ? [] : tensors.filter((name) => name !== 'keyMask' && shapeOf(name) !== undefined);
      const wideBytes = widened.reduce((bytes, name) => bytes + 4 * width * rowsOf(name), 0);
      return withScratch(wasm, scratchBytes(width) + wideBytes, (scratch) => {
        const { outputs, addressOf } = placeTensors(wasm, { inputs, outputShapes });
        const own = tensors.map(addressOf);
        const used = [...own];
        let free = scratch + scratchBytes(width);
        for (const name of widened) {
          const i = tensors.indexOf(name);
          if (inputs[name]) copyRows(own[i]!, dim, free, width, rowsOf(name));
          used[i] = free;
          free += 4 * width * rowsOf(name);
        }
        kernel(...used, scratch, batch, time, width, activation);
        for (const name of widened) {
          const i = tensors.indexOf(name);
          if (!inputs[name]) copyRows(used[i]!, width, own[i]!, dim, rowsOf(name));
        }
        return outputs;
      });
    },
  };
}

export const wasmAftSimple = /* @__PURE__ */ simpleKernel('forward', 'query key value keyMask output context logNormalizer');

export const wasmAftSimpleBackward = /* @__PURE__ */ simpleKernel(
  'backward',
  'query key value keyMask context logNormalizer dOutput dQuery dKey dValue',
);

export const wasmAftSimpleCausal = /* @__PURE__ */ simpleKernel(
  'causalForward',
  'query key value keyMask initialState output finalState context logNormalizer',
);

export const wasmAftSimpleCausalBackward = /* @__PURE__ */ simpleKernel(
  'causalBackward',
  'query key value keyMask initialState finalState context logNormalizer dOutput dFinalState dQuery dKey dValue dInitialState',
);
