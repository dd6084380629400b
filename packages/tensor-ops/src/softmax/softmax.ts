import { broadcastTo, type Tensor } from '@tensorflow/tfjs-core';
import { checkOptions } from '../check-options';
import { ShapeError } from '../errors';
import { axisOf } from '../lines/lines';
import { defineOperator } from '../operator/define-operator';
import { composedSoftmax, composedSoftmaxBackward } from './composed';
import { wasmSoftmax, wasmSoftmaxBackward } from './wasm';
import { webgpuSoftmax, webgpuSoftmaxBackward } from './webgpu';

const attributes = { axis: -1 };

/**
 * Whether a mask of the shape `own` serves `x` as it is: it has the shape of `x`, or of its last axes, which then are not taken
 * apart.
 */
function fits(own: readonly number[], x: readonly number[], axis: number): boolean {
  const last = x.slice(x.length - own.length);
  const isWhole = own.length === x.length || (own.length > 0 && (axis === -1 || axis === x.length - 1));
  return isWhole && own.length <= x.length && own.every((size, i) => size === last[i]);
}

function checkCall({ x, mask }: Readonly<Record<string, readonly number[]>>, { axis }: { axis: number }) {
  axisOf('softmax', axis, x!);
  if (mask === undefined || fits(mask, x!, axis)) return {};
  throw new ShapeError(`softmax: mask must broadcast to x\n  x     [${x!.join(', ')}]\n  mask  [${mask.join(', ')}]`);
}

/** The gradient of `softmaxOperator`. */
export const softmaxBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'SoftmaxBackward',
  publicName: 'softmax',
  inputs: { output: '...x', dOutput: '...x' },
  attributes,
  outputs: { dX: '...x' },
  compose: composedSoftmaxBackward,
  kernels: { wasm: wasmSoftmaxBackward, webgpu: webgpuSoftmaxBackward },
});

/** Softmax along an axis, under a mask that has the shape of `x`, or of its last axes if `axis` is the last one. */
export const softmaxOperator = /* @__PURE__ */ defineOperator({
  name: 'Softmax',
  inputs: { x: '...x', 'mask?': '...mask' },
  dtypes: { mask: 'mask' },
  attributes,
  outputs: { output: '...x' },
  shapes: checkCall,
  compose: composedSoftmax,
  kernels: { wasm: wasmSoftmax, webgpu: webgpuSoftmax },
  backward: softmaxBackwardOperator,
});

/**
 * Softmax along an axis: exponentials divided by their sum.
 *
 * $$ y_j = \frac{e^{x_j}}{\sum_i e^{x_i}} $$
 *
 * @param x - float32, of any shape but a scalar.
 * @param axis - Default -1, the last one; a negative axis counts from the end.
 * @param options - `mask`: bool, int32 or float32, nonzero = attend; its shape broadcasts to that of `x`. What is masked may hold
 *   NaN.
 * @returns The shape of `x`. New tensor; the caller disposes it. Masked elements are 0, and so is a line without anything to
 *   attend to.
 * @throws OptionError for an axis that `x` does not have; ShapeError if the mask does not broadcast; DTypeError.
 * @remarks O(size) time, for any finite `x`. Differentiable in `x`.
 * @example
 * const weights = softmax(scores, -1, { mask: causalMask }); // [batch, heads, time, time] under [time, time]
 */
export function softmax(x: Tensor, axis = -1, options: { readonly mask?: Tensor | undefined } = {}): Tensor {
  checkOptions('softmax', options, { mask: 'tensor' });
  const { mask } = options;
  const shape = x?.shape ?? [];
  if (mask === undefined || fits(mask.shape, shape, axis) || !broadcasts(mask.shape, shape)) {
    return softmaxOperator.run({ x, mask }, { axis }).output;
  }
  const whole = broadcastTo(mask, shape);
  try {
    return softmaxOperator.run({ x, mask: whole }, { axis }).output;
  } finally {
    whole.dispose();
  }
}

function broadcasts(own: number[], shape: number[]): boolean {
  if (own.length > shape.length) return false;
  return own.every((size, i) => size === 1 || size === shape[i + shape.length - own.length]);
}
