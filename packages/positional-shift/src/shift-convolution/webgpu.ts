import { type FusedKernel, type KernelCall, runGemm, webGpuBackend } from '@mixfold/tensor-ops';
import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import { boundaryCode } from '../boundary';
import { acceptsPlaces } from '../webgpu-accepts';
import { readFunction, withOffsets } from '../webgpu-offsets';
import { boundaryFunctions } from '../wgsl-boundary';
import { geometryOf } from './geometry';

/** A product over all terms or positions; its left operand reads shifted rows. */
function product(
  { backend, sizes, attributes }: KernelCall,
  program: {
    readonly name: string;
    readonly inputs: Readonly<Record<string, TensorInfo>>;
    readonly shape: number[];
    readonly size: { readonly rows: number; readonly columns: number; readonly depth: number };
    readonly adjoint?: boolean;
    readonly read: string;
    readonly left: string;
    readonly leftNeighbours: 'depth' | 'width';
    readonly right: string;
    readonly rightNeighbours: 'depth' | 'width';
    /** Channels of what is read, where the sizes of the product do not say it. */
    readonly dim: number;
  },
): TensorInfo {
  const gpu = webGpuBackend(backend);
  const { height, width, offsets, boundary } = geometryOf(sizes, attributes);
  return withOffsets(gpu, offsets, (table) => {
    const uniforms = { height, width, boundary: boundaryCode(boundary), dim: program.dim };
    return runGemm(gpu, {
      name: program.name,
      size: { batches: 1, ...program.size },
      inputs: { ...program.inputs, offsets: table },
      outputs: { output: { shape: program.shape } },
      uniforms: Object.fromEntries(Object.entries(uniforms).map(([name, value]) => [name, { type: 'i32', value }])),
      left: { element: program.left, neighbours: program.leftNeighbours },
      rights: [{ element: program.right, neighbours: program.rightNeighbours }],
      store: 'output[row * uniforms.columns + column] = value0;',
      functions: boundaryFunctions(program.adjoint ?? false) + readFunction('readRow', program.read),
    }).output;
  });
}

const byTerm = 'return readRow(i32(row), i32(k) / uniforms.dim, i32(k) % uniforms.dim, uniforms.dim);';

/** One product: its left operand, positions by terms and channels, is read from x. */
export const webgpuShiftConvolution: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { x, theta } = call.inputs as Record<'x' | 'theta', TensorInfo>;
    const [terms, dim, columns] = theta.shape as [number, number, number];
    const output = product(call, {
      name: 'ShiftedProduct',
      inputs: { x, theta },
      shape: call.outputShapes.output!,
      size: { rows: util.sizeFromShape(x.shape) / dim, columns, depth: terms * dim },
      dim,
      read: 'x',
      left: byTerm,
      leftNeighbours: 'depth',
      right: 'return theta[k * uniforms.columns + column];',
      rightNeighbours: 'width',
    });
    return { output };
  },
};

/** One product per gradient. */
export const webgpuShiftConvolutionBackward: FusedKernel = {
  accepts: acceptsPlaces,
  run(call) {
    const { x, theta, dOutput } = call.inputs as Record<'x' | 'theta' | 'dOutput', TensorInfo>;
    const [terms, dim, outputDim] = theta.shape as [number, number, number];
    const positions = util.sizeFromShape(x.shape) / dim;
    const made: Record<string, TensorInfo> = {};
    if (call.outputShapes.dX) {
      made.dX = product(call, {
        name: 'ShiftedProductInput',
        inputs: { dOutput, theta },
        shape: call.outputShapes.dX,
        size: { rows: positions, columns: dim, depth: terms * outputDim },
        adjoint: true,
        dim: outputDim,
        read: 'dOutput',
        left: byTerm,
        leftNeighbours: 'depth',
        right: 'let width = u32(uniforms.dim);\n  return theta[(k / width * uniforms.columns + column) * width + k % width];',
        rightNeighbours: 'depth',
      });
    }
    if (call.outputShapes.dTheta) {
      made.dTheta = product(call, {
        name: 'ShiftedProductParameters',
        inputs: { x, dOutput },
        shape: call.outputShapes.dTheta,
        size: { rows: terms * dim, columns: outputDim, depth: positions },
        dim,
        read: 'x',
        left: 'return readRow(i32(k), i32(row) / uniforms.dim, i32(row) % uniforms.dim, uniforms.dim);',
        leftNeighbours: 'width',
        right: 'return dOutput[k * uniforms.columns + column];',
        rightNeighbours: 'width',
      });
    }
    return made;
  },
};
