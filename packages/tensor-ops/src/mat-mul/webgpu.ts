import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { FusedKernel, KernelCall } from '../operator/types';
import { acceptsBindings } from '../webgpu/accepts-bindings';
import { type MatrixOperand, tallMatrix, webGpuMatrixProduct } from '../webgpu/matrix-product';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import { isShared } from './composed';

/** Matrices of fewer rows leave most of a tile idle when each is multiplied by itself. */
const LEAST_ROWS = 32;

function operandsOf(call: KernelCall) {
  const { transposeA, transposeB } = call.attributes as { transposeA: boolean; transposeB: boolean };
  const product = (left: MatrixOperand, right: MatrixOperand, shape: number[]) =>
    webGpuMatrixProduct(webGpuBackend(call.backend), left, right, shape);
  return { transposeA, transposeB, product };
}

/** One product; a stack that shares its right matrix is one tall matrix. */
export const webgpuMatMul: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { a, b } = call.inputs as Record<'a' | 'b', TensorInfo>;
    const { transposeA, transposeB, product } = operandsOf(call);
    const right = { info: b, transposed: transposeB };
    let left: MatrixOperand = { info: a, transposed: transposeA };
    if (isShared(b)) {
      if (!transposeA) left = { info: tallMatrix(a), transposed: false };
      else if (a.shape.length > 2 && a.shape.at(-1)! < LEAST_ROWS) left = { ...left, stack: 'along' };
    }
    return { output: product(left, right, call.outputShapes.output!) };
  },
};

/** A product for each gradient. That of a shared matrix runs along the whole stack, and so sums over it. */
export const webgpuMatMulBackward: FusedKernel = {
  accepts: acceptsBindings,
  run(call) {
    const { a, b, dOutput } = call.inputs as Record<'a' | 'b' | 'dOutput', TensorInfo>;
    const { dA, dB } = call.outputShapes as Partial<Record<'dA' | 'dB', number[]>>;
    const { transposeA, transposeB, product } = operandsOf(call);
    const shared = isShared(b);
    const received = shared ? tallMatrix(dOutput) : dOutput;
    const made: Record<string, TensorInfo> = {};
    if (dA) {
      made.dA = transposeA
        ? product({ info: b, transposed: transposeB }, { info: dOutput, transposed: true }, dA)
        : product({ info: received, transposed: false }, { info: b, transposed: !transposeB }, dA);
    }
    if (dB) {
      const given: Omit<MatrixOperand, 'transposed'> =
        shared && transposeA ? { info: a, stack: 'along' } : { info: shared ? tallMatrix(a) : a };
      made.dB = transposeB
        ? product({ info: received, transposed: true }, { ...given, transposed: transposeA }, dB)
        : product({ ...given, transposed: !transposeA }, { info: received, transposed: false }, dB);
    }
    return made;
  },
};
