import {
  defineWasmModule,
  type FusedKernel,
  type KernelCall,
  placeTensors,
  type WasmBackend,
  withScratch,
} from '@mixfold/tensor-ops';
import { boundaryCode } from '../boundary';
import { shiftConvolutionBinaries } from '../generated/shift-convolution';
import { acceptsPlaces, writeOffsets } from '../wasm-offsets';
import { geometryOf } from './geometry';

const module = /* @__PURE__ */ defineWasmModule<'convolve' | 'thetaGradient' | 'scratchBytes'>(shiftConvolutionBinaries);

/** Runs `work` with the functions of the module, the grid's sizes, and the working memory for results of `columns` columns. */
function withGrid<T>(
  { sizes, attributes, backend }: KernelCall,
  columns: number,
  work: (call: {
    readonly kernels: ReturnType<typeof module.exports>;
    readonly wasm: WasmBackend;
    readonly grid: readonly number[];
    readonly boundary: number;
    readonly table: number;
    readonly scratch: number;
  }) => T,
): T {
  const wasm = backend as WasmBackend;
  const kernels = module.exports(wasm);
  const { batch, height, width, offsets, boundary } = geometryOf(sizes, attributes);
  const bytes = kernels.scratchBytes(columns);
  return withScratch(wasm, bytes + 8 * offsets.length, (scratch) => {
    const table = scratch + bytes;
    writeOffsets(wasm, table, offsets);
    const grid = [offsets.length, batch, height, width];
    return work({ kernels, wasm, grid, boundary: boundaryCode(boundary), table, scratch });
  });
}

/** One product, whose left factor is packed from shifted rows. */
export const wasmShiftConvolution: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { sizes } = call;
    const [dim, columns] = [sizes.dim!, sizes.channels!];
    return withGrid(call, columns, ({ kernels, wasm, grid, boundary, table, scratch }) => {
      const { outputs, addressOf: at } = placeTensors(wasm, call);
      kernels.convolve(at('x'), at('theta'), at('output'), table, ...grid, dim, columns, boundary, 0, scratch);
      return outputs;
    });
  },
};

/** The gradient of x is the adjoint convolution, with parameters transposed; that of theta a product over time for each term. */
export const wasmShiftConvolutionBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { sizes } = call;
    const [dim, columns] = [sizes.dim!, sizes.channels!];
    return withGrid(call, Math.max(dim, columns), ({ kernels, wasm, grid, boundary, table, scratch }) => {
      const { outputs, addressOf: at } = placeTensors(wasm, call);
      const received = at('dOutput');
      if (outputs.dX) kernels.convolve(received, at('theta'), at('dX'), table, ...grid, columns, dim, boundary, 1, scratch);
      if (outputs.dTheta) kernels.thetaGradient(at('x'), received, at('dTheta'), table, ...grid, dim, columns, boundary, scratch);
      return outputs;
    });
  },
};
