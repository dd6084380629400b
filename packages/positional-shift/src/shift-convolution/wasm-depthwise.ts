import { defineWasmModule, type FusedKernel, placeTensors, type WasmBackend, withScratch } from '@mixfold/tensor-ops';
import { boundaryCode } from '../boundary';
import { shiftConvolutionDepthwiseBinaries } from '../generated/shift-convolution-depthwise';
import { acceptsPlaces, writeOffsets } from '../wasm-offsets';
import { geometryOf } from './geometry';

const module = /* @__PURE__ */ defineWasmModule<'depthwise' | 'depthwiseThetaGradient' | 'tableBytes'>(
  shiftConvolutionDepthwiseBinaries,
);

/** The kernel's own record before the table. */
const RECORD = 64;

/** One pass: four neighbouring outputs at a time where all terms read inside. */
export const wasmShiftDepthwise: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { attributes, sizes } = call;
    const wasm = call.backend as WasmBackend;
    const { depthwise, tableBytes } = module.exports(wasm);
    const { batch, height, width, offsets, boundary } = geometryOf(sizes, attributes);
    const bytes = RECORD + tableBytes();
    return withScratch(wasm, bytes + 8 * offsets.length, (scratch) => {
      const { outputs, addressOf } = placeTensors(wasm, call);
      const table = scratch + bytes;
      writeOffsets(wasm, table, offsets);
      const pointers = ['x', 'theta', 'output'].map(addressOf);
      depthwise(...pointers, table, offsets.length, batch, height, width, sizes.dim!, boundaryCode(boundary), 0, scratch);
      return outputs;
    });
  },
};

/** The adjoint for x, and sums over positions for theta. */
export const wasmShiftDepthwiseBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { attributes, sizes } = call;
    const wasm = call.backend as WasmBackend;
    const { depthwise, depthwiseThetaGradient, tableBytes } = module.exports(wasm);
    const { batch, height, width, offsets, boundary } = geometryOf(sizes, attributes);
    const bytes = Math.max(RECORD + tableBytes(), 4 * offsets.length * sizes.dim!);
    const aligned = Math.ceil(bytes / 16) * 16;
    return withScratch(wasm, aligned + 8 * offsets.length, (scratch) => {
      const { outputs, addressOf: at } = placeTensors(wasm, call);
      const table = scratch + aligned;
      writeOffsets(wasm, table, offsets);
      const grid = [table, offsets.length, batch, height, width, sizes.dim!, boundaryCode(boundary)];
      if (outputs.dX) depthwise(at('dOutput'), at('theta'), at('dX'), ...grid, 1, scratch);
      if (outputs.dTheta) depthwiseThetaGradient(at('x'), at('dOutput'), at('dTheta'), ...grid, scratch);
      return outputs;
    });
  },
};
