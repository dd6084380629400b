import { cumulativeSumBinaries } from '../generated/cumulative-sum';
import type { FusedKernel } from '../operator/types';
import { defineWasmModule, tensorPointer, type WasmBackend, withScratch } from '../wasm/index';
import { type ScanAttributes, scanLayout } from './scan-layout';

const module = /* @__PURE__ */ defineWasmModule<'cumulativeSum'>(cumulativeSumBinaries);

function scanKernel(input: string, output: string, isBackward: boolean): FusedKernel {
  return {
    run({ inputs, attributes, outputShapes, backend }) {
      const wasm = backend as WasmBackend;
      const { axis, exclusive, reverse } = attributes as unknown as ScanAttributes;
      const { outer, time, inner } = scanLayout(outputShapes[output]!, axis);
      const kernel = module.exports(wasm).cumulativeSum;
      return withScratch(wasm, 8 * (inner + 3), (scratch) => {
        const made = wasm.makeOutput(outputShapes[output]!, 'float32');
        const [from, to] = [tensorPointer(wasm, inputs[input]!), tensorPointer(wasm, made)];
        kernel(from, to, scratch, outer, time, inner, Number(exclusive), Number(reverse !== isBackward));
        return { [output]: made };
      });
    },
  };
}

export const wasmCumulativeSum = /* @__PURE__ */ scanKernel('x', 'output', false);
export const wasmCumulativeSumBackward = /* @__PURE__ */ scanKernel('dOutput', 'dX', true);
