import type { Tensor } from '@tensorflow/tfjs-core';
import { axisOf } from '../lines/lines';
import { defineOperator } from '../operator/define-operator';
import { composedLogSumExp, composedLogSumExpBackward } from './composed';
import { wasmLogSumExp, wasmLogSumExpBackward } from './wasm';
import { webgpuLogSumExp, webgpuLogSumExpBackward } from './webgpu';

const attributes = { axis: -1 };
// Apart, for a bundler keeps a definition whose arguments read a property.
const emptyValue = Number.NEGATIVE_INFINITY;

/** The shape of `x` without the axis. */
function reducedShape({ x }: Readonly<Record<string, readonly number[]>>, { axis }: { axis: number }) {
  const dropped = axisOf('logSumExp', axis, x!);
  return { '...output': x!.filter((_, i) => i !== dropped) };
}

/** The gradient of `logSumExpOperator`. */
export const logSumExpBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'LogSumExpBackward',
  publicName: 'logSumExp',
  inputs: { x: '...x', largest: '...output', logSum: '...output', dOutput: '...output' },
  attributes,
  outputs: { dX: '...x' },
  compose: composedLogSumExpBackward,
  kernels: { wasm: wasmLogSumExpBackward, webgpu: webgpuLogSumExpBackward },
});

/**
 * The logarithm of the sum of exponentials along an axis. What is saved are its two terms: their sum is rounded where elements
 * are large, and the gradient would feel it.
 */
export const logSumExpOperator = /* @__PURE__ */ defineOperator({
  name: 'LogSumExp',
  inputs: { x: '...x' },
  attributes,
  outputs: { output: '...output' },
  saved: { largest: '...output', logSum: '...output' },
  shapes: reducedShape,
  emptyValue,
  compose: composedLogSumExp,
  kernels: { wasm: wasmLogSumExp, webgpu: webgpuLogSumExp },
  backward: logSumExpBackwardOperator,
});

/**
 * The logarithm of the sum of exponentials along an axis, which it drops.
 *
 * $$ y = \ln \sum_j e^{x_j} $$
 *
 * @param x - float32, of any shape but a scalar.
 * @param axis - Default -1, the last one; a negative axis counts from the end.
 * @returns The shape of `x` without the axis. New tensor; the caller disposes it. -Infinity along an axis of no elements.
 * @throws OptionError for an axis that `x` does not have; DTypeError.
 * @remarks O(size) time, for any finite `x`. Differentiable in `x`.
 */
export function logSumExp(x: Tensor, axis = -1): Tensor {
  return logSumExpOperator.run({ x }, { axis }).output;
}
