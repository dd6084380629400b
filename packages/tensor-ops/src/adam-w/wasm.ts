import type { TensorInfo } from '@tensorflow/tfjs-core';
import { adamWBinaries } from '../generated/adam-w';
import type { FusedKernel } from '../operator/types';
import { defineWasmModule, placeTensors, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';
import { type AdamWAttributes, segmentsOf, updateTerms } from './update-terms';

const module = /* @__PURE__ */ defineWasmModule<'adamW'>(adamWBinaries);

/** Words of a row of the kernel's table. */
const ROW = 5;

/** All parameters in one pass over memory, by a table of their addresses. */
export const wasmAdamW: FusedKernel = {
  run(call) {
    const wasm = call.backend as WasmBackend;
    const attributes = call.attributes as AdamWAttributes;
    const terms = updateTerms(attributes);
    const segments = segmentsOf(call.inputs, call.sizes, attributes);
    const at = (info: TensorInfo | undefined) => (info ? tensorPointer(wasm, info) : 0);
    return withScratch(wasm, 4 * ROW * segments.length, (table) => {
      const { outputs } = placeTensors(wasm, call);
      // Not before: an allocation may grow the memory, which detaches views of it.
      const words = new Uint32Array(wasm.wasm.HEAPU8.buffer, table, ROW * segments.length);
      segments.forEach(({ name, parameter, gradient, size, decays }, i) => {
        words.set([at(parameter), at(gradient), at(outputs[name]), size, Number(decays)], ROW * i);
      });
      const { mean, square, gradientScale } = call.inputs;
      const moments = [mean, square, outputs.mean, outputs.square, gradientScale].map(at);
      const { keptMean, takenMean, keptSquare, takenSquare, deviationScale, epsilon, stepSize, decay } = terms;
      module
        .exports(wasm)
        .adamW(
          table,
          segments.length,
          ...moments,
          keptMean,
          takenMean,
          keptSquare,
          takenSquare,
          deviationScale,
          epsilon,
          stepSize,
          decay,
        );
      return outputs;
    });
  },
};
