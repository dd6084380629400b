import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { FusedKernel, KernelCall } from '../operator/types';
import type { WasmBackend } from '../wasm/index';
import { matrixProduct } from '../wasm-kernels/matrix-product';
import { isShared } from './composed';

/** A stack as one tall matrix: the same memory under another shape. */
const tall = (x: TensorInfo): TensorInfo => ({
  ...x,
  shape: [x.shape.slice(0, -1).reduce((rows, size) => rows * size, 1), x.shape.at(-1)!],
});

const isTransposed = ({ attributes }: KernelCall) => [Boolean(attributes.transposeA), Boolean(attributes.transposeB)] as const;

/** The product in one pass, whatever is transposed or stacked. */
export const wasmMatMul: FusedKernel = {
  run(call) {
    const { a, b } = call.inputs as { a: TensorInfo; b: TensorInfo };
    return { output: matrixProduct(call.backend as WasmBackend, a, b, ...isTransposed(call)) };
  },
};

/** Each gradient as a product on the same memory. */
export const wasmMatMulBackward: FusedKernel = {
  accepts(call) {
    const { a, b } = call.inputs as { a: TensorInfo; b: TensorInfo };
    if (!call.attributes.transposeA || !isShared(b) || a.shape.length === 2) return null;
    return 'the gradient of a matrix shared by a stack of transposed ones needs them side by side';
  },
  run(call) {
    const wasm = call.backend as WasmBackend;
    const { a, b, dOutput } = call.inputs as { a: TensorInfo; b: TensorInfo; dOutput: TensorInfo };
    const [transposeA, transposeB] = isTransposed(call);
    const product = (left: TensorInfo, right: TensorInfo, transposeLeft: boolean, transposeRight: boolean) =>
      matrixProduct(wasm, left, right, transposeLeft, transposeRight);
    const made: Record<string, TensorInfo> = {};
    if (call.outputShapes.dA) {
      made.dA = transposeA ? product(b, dOutput, transposeB, true) : product(dOutput, b, false, !transposeB);
    }
    if (call.outputShapes.dB) {
      const [left, received] = isShared(b) ? [tall(a), tall(dOutput)] : [a, dOutput];
      made.dB = transposeB ? product(received, left, true, transposeA) : product(left, received, !transposeA, false);
    }
    return made;
  },
};
