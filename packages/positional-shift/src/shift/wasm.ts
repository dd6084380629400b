import { defineWasmModule, type FusedKernel, tensorPointer, type WasmBackend } from '@mixfold/tensor-ops';
import { util } from '@tensorflow/tfjs-core';
import { shiftBinaries } from '../generated/shift';
import { layoutOf } from './layout';

const module = /* @__PURE__ */ defineWasmModule<'copyRun' | 'addRun' | 'clear'>(shiftBinaries);

/** One copy per run. */
export const wasmShift: FusedKernel = {
  run({ inputs: { x }, attributes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { copyRun, clear } = module.exports(wasm);
    const { outer, length, inner, runs } = layoutOf(x!.shape, attributes);
    const output = wasm.makeOutput(outputShapes.output!, 'float32');
    const [from, to] = [tensorPointer(wasm, x!), tensorPointer(wasm, output)];
    const covered = runs.reduce((rows, { count }) => rows + count, 0);
    if (covered < length) clear(to, 4 * util.sizeFromShape(output.shape));
    for (const { target, count, source, step } of runs) copyRun(from, to, outer, length, inner, target, count, source, step);
    return { output };
  },
};

/** The main run is copied back, what the others read is added to it. */
export const wasmShiftBackward: FusedKernel = {
  run({ inputs: { dOutput }, attributes, outputShapes, backend }) {
    const wasm = backend as WasmBackend;
    const { copyRun, addRun, clear } = module.exports(wasm);
    const { outer, length, inner, runs } = layoutOf(dOutput!.shape, attributes);
    const dX = wasm.makeOutput(outputShapes.dX!, 'float32');
    const [from, to] = [tensorPointer(wasm, dOutput!), tensorPointer(wasm, dX)];
    const isWhole = runs[0]?.step === 1 && runs[0].count === length;
    if (!isWhole) clear(to, 4 * util.sizeFromShape(dX.shape));
    for (const [i, { target, count, source, step }] of runs.entries()) {
      if (i === 0 && step === 1) copyRun(from, to, outer, length, inner, source, count, target, 1);
      else addRun(from, to, outer, length, inner, target, count, source, step);
    }
    return { dX };
  },
};
