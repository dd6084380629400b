import type { Tensor } from '@tensorflow/tfjs-core';
import { bindShapes } from '../bind-shapes';
import { checkOptions } from '../check-options';
import { defineOperator } from '../operator/define-operator';
import { composedMatMul, composedMatMulBackward } from './composed';
import { wasmMatMul, wasmMatMulBackward } from './wasm';
import { webgpuMatMul, webgpuMatMulBackward } from './webgpu';

/** Which factors of `matMul` are given transposed: as `[..., K, M]` or `[..., N, K]`. */
export interface MatMulOptions {
  readonly transposeA?: boolean | undefined;
  readonly transposeB?: boolean | undefined;
}

const attributes = { transposeA: false, transposeB: false };

/** Which rows are which depends on the transpositions, so the axes are named here and not in the contract. */
function productShape(
  { a, b }: Readonly<Record<string, readonly number[]>>,
  { transposeA, transposeB }: { transposeA: boolean; transposeB: boolean },
): { '...output': readonly number[] } {
  const batch = b!.length === 2 ? '' : '...batch ';
  const { rows, columns } = bindShapes('matMul', {
    a: [{ shape: a! }, transposeA ? '...batch depth rows' : '...batch rows depth'],
    b: [{ shape: b! }, `${batch}${transposeB ? 'columns depth' : 'depth columns'}`],
  }) as { rows: number; columns: number };
  return { '...output': [...a!.slice(0, -2), rows, columns] };
}

/** The gradient of `matMulOperator`. */
export const matMulBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'MatMulBackward',
  publicName: 'matMul',
  inputs: { a: '...a', b: '...b', dOutput: '...output' },
  attributes,
  outputs: { dA: '...a', dB: '...b' },
  compose: composedMatMulBackward,
  kernels: { wasm: wasmMatMulBackward, webgpu: webgpuMatMulBackward },
});

/** The product of stacks of matrices; `b` is a stack of as many, or one matrix for all. */
export const matMulOperator = /* @__PURE__ */ defineOperator({
  name: 'MatMul',
  inputs: { a: '...a', b: '...b' },
  attributes,
  outputs: { output: '...output' },
  shapes: productShape,
  compose: composedMatMul,
  kernels: { wasm: wasmMatMul, webgpu: webgpuMatMul },
  backward: matMulBackwardOperator,
  separateGradients: true,
});

/**
 * The product of matrices, or of stacks of them. One right matrix may serve a whole stack, as a layer's weight does; its gradient
 * is then summed over the stack.
 *
 * @param a - `[..., M, K]`, float32; `[..., K, M]` with `transposeA`.
 * @param b - `[K, N]`, or `[..., K, N]` with the leading axes of `a`; `[..., N, K]` with `transposeB`.
 * @param options - `transposeA`, `transposeB` (both default false).
 * @returns `[..., M, N]`. New tensor; the caller disposes it. Zeros where K is 0.
 * @throws ShapeError if an axis differs; DTypeError; OptionError for an unknown option.
 * @remarks O(M K N) time per matrix. Differentiable in both, also where `tf.matMul` is not (a shared right matrix).
 * @example
 * const hidden = matMul(tokens, weight); // [batch, time, dim] by [dim, hidden]
 */
export function matMul(a: Tensor, b: Tensor, options: MatMulOptions = {}): Tensor {
  checkOptions('matMul', options, { transposeA: 'boolean', transposeB: 'boolean' });
  const { transposeA = false, transposeB = false } = options;
  return matMulOperator.run({ a, b }, { transposeA, transposeB }).output;
}
