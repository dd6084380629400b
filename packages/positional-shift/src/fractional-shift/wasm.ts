import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  placeTensors,
  tensorPointer,
  type WasmBackend,
} from '@mixfold/tensor-ops';
import type { TensorInfo } from '@tensorflow/tfjs-core';
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
    const output = wasm.makeOutput(call.outputShapes.output!, 'float32');
    const at = (info: TensorInfo) => tensorPointer(wasm, info);
    forward(at(call.inputs.x!), at(call.inputs.offset!), at(output), ...sizesOf(call));
    return { output };
  },
};

export const wasmFractionalShiftBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const wasm = call.backend as WasmBackend;
    const { backwardInput, backwardOffset } = module.exports(wasm);
    const { outputs: made } = placeTensors(wasm, call);
    const at = (info: TensorInfo | undefined) => tensorPointer(wasm, info!);
    const { x, offset, dOutput } = call.inputs;
    if (made.dX) backwardInput(at(dOutput), at(offset), at(made.dX), ...sizesOf(call));
    if (made.dOffset) backwardOffset(at(x), at(dOutput), at(offset), at(made.dOffset), ...sizesOf(call));
    return made;
  },
};
