import { defineWasmModule, type FusedKernel, type KernelCall, placeTensors, type WasmBackend } from '@mixfold/tensor-ops';
import { type Boundary, boundaryCode } from '../boundary';
import { fractionalShiftBinaries } from '../generated/fractional-shift';
import { acceptsPlaces } from '../wasm-offsets';

const module = /* @__PURE__ */ defineWasmModule<'forward' | 'backwardInput' | 'backwardOffset'>(fractionalShiftBinaries);

const sizesOf = ({ sizes, attributes }: KernelCall): number[] => [
  sizes.batch!,
  sizes.time!,
  sizes.dim!,
  sizes.heads!,
  boundaryCode(attributes.boundary as Boundary),
];

export const wasmFractionalShift: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const wasm = call.backend as WasmBackend;
    const { forward } = module.exports(wasm);
    const { outputs, addressOf } = placeTensors(wasm, call);
    forward(...['x', 'offset', 'output'].map(addressOf), ...sizesOf(call));
    return outputs;
  },
};

export const wasmFractionalShiftBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const wasm = call.backend as WasmBackend;
    const { backwardInput, backwardOffset } = module.exports(wasm);
    const { outputs, addressOf: at } = placeTensors(wasm, call);
    if (outputs.dX) backwardInput(at('dOutput'), at('offset'), at('dX'), ...sizesOf(call));
    if (outputs.dOffset) backwardOffset(at('x'), at('dOutput'), at('offset'), at('dOffset'), ...sizesOf(call));
    return outputs;
  },
};
