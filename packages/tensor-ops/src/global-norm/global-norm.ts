import { type Scalar, scalar, type Tensor } from '@tensorflow/tfjs-core';
import { defineOperator } from '../operator/define-operator';
import type { Operator } from '../operator/types';
import { checkList, itemNames, operatorPerLength } from '../tensor-list/tensor-list';
import { composedGlobalNorm } from './composed';
import { wasmGlobalNorm } from './wasm';
import { webgpuGlobalNorm } from './webgpu';

// biome-ignore lint/complexity/noBannedTypes: an operator without attributes
type GlobalNormOperator = Operator<Record<string, string>, {}, { norm: '' }>;

function defineGlobalNorm(count: number): GlobalNormOperator {
  return defineOperator({
    name: count === 1 ? 'GlobalNorm' : `GlobalNormOf${count}`,
    publicName: 'globalNorm',
    inputs: Object.fromEntries(itemNames('tensors', count).map((name, i) => [name, `...shape${i}`])) as Record<string, string>,
    outputs: { norm: '' },
    compose: composedGlobalNorm,
    kernels: { wasm: wasmGlobalNorm, webgpu: webgpuGlobalNorm },
  });
}

const globalNormOperatorOf = /* @__PURE__ */ operatorPerLength(defineGlobalNorm);

/** The norm of one tensor. A list of more has an operator of its own, with the inputs `tensors[0]`, `tensors[1]`, ... */
export const globalNormOperator = /* @__PURE__ */ globalNormOperatorOf(1);

/**
 * The Euclidean norm of all elements of a list of tensors, such as the gradients of a model.
 *
 * $$ \sqrt{\sum_i \sum_j x_{ij}^2} $$
 *
 * @param tensors - float32, of any shapes.
 * @returns A scalar, 0 for an empty list. New tensor; the caller disposes it.
 * @throws DTypeError naming the item that is no float32 tensor.
 * @remarks One call of a kernel on WASM, two dispatches on WebGPU, however many tensors there are. O(size) time. Not differentiable.
 * @example
 * const gradientScale = tf.minimum(1, tf.div(1, globalNorm(gradients))); // clips the norm to 1, see adamWStep
 */
export function globalNorm(tensors: readonly Tensor[]): Scalar {
  checkList('globalNorm', 'tensors', tensors);
  const filled = tensors.filter((tensor) => tensor?.size !== 0);
  if (filled.length === 0) return scalar(0);
  const inputs = Object.fromEntries(filled.map((tensor, i) => [`tensors[${i}]`, tensor]));
  return globalNormOperatorOf(filled.length).run(inputs).norm;
}
