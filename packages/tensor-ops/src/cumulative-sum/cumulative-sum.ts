import type { Tensor } from '@tensorflow/tfjs-core';
import { checkOptions, show } from '../check-options';
import { OptionError } from '../errors';
import { axisWithin } from '../lines/lines';
import { defineOperator } from '../operator/define-operator';
import { composedCumulativeSum, composedCumulativeSumBackward } from './composed';
import type { ScanAttributes } from './scan-layout';
import { wasmCumulativeSum, wasmCumulativeSumBackward } from './wasm';
import { webgpuCumulativeSum, webgpuCumulativeSumBackward } from './webgpu';

/** Options of `cumulativeSum`. */
export interface CumulativeSumOptions {
  /** Whether an element counts only what stands before it, not itself. Default false. */
  readonly exclusive?: boolean | undefined;
  /** Whether the sums run from the last element to the first. Default false. */
  readonly reverse?: boolean | undefined;
}

function checkAxis({ x }: Readonly<Record<string, readonly number[]>>, { axis }: ScanAttributes) {
  const rank = x!.length;
  if (axisWithin(axis, rank) === undefined) {
    const rule = rank === 0 ? 'x must have an axis to sum over' : `axis must be an integer from ${-rank} to ${rank - 1}`;
    throw new OptionError(`cumulativeSum: ${rule}, got ${show(axis)}\n  x  [${x!.join(', ')}]`);
  }
  return {};
}

/** The gradient of `cumulativeSumOperator`: the same sums in the other direction. */
export const cumulativeSumBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'CumulativeSumBackward',
  publicName: 'cumulativeSum',
  inputs: { dOutput: '...x' },
  attributes: { axis: -1, exclusive: false, reverse: false },
  outputs: { dX: '...x' },
  compose: composedCumulativeSumBackward,
  kernels: { wasm: wasmCumulativeSumBackward, webgpu: webgpuCumulativeSumBackward },
});

/** Running sums over one axis. */
export const cumulativeSumOperator = /* @__PURE__ */ defineOperator({
  name: 'CumulativeSum',
  inputs: { x: '...x' },
  attributes: { axis: -1, exclusive: false, reverse: false },
  outputs: { output: '...x' },
  shapes: checkAxis,
  compose: composedCumulativeSum,
  kernels: { wasm: wasmCumulativeSum, webgpu: webgpuCumulativeSum },
  backward: cumulativeSumBackwardOperator,
});

/**
 * Running sums over one axis: each element is replaced by the sum of what stands before it and itself.
 *
 * $$ y_t = \sum_{t' \le t} x_{t'} $$
 *
 * @param x - float32, of any shape with an axis.
 * @param axis - The axis to sum over; a negative one counts from the last.
 * @param options - `exclusive` leaves each element out of its own sum, `reverse` sums from the last element to the first.
 * @returns The shape of `x`. New tensor; the caller disposes it.
 * @throws OptionError if `x` has no such axis, or for an unknown option or value; DTypeError.
 * @remarks O(size) time and memory. The rounding error does not grow with the length of the axis. Differentiable in `x`.
 * @example
 * const positions = cumulativeSum(mask, -1, { exclusive: true });
 */
export function cumulativeSum<T extends Tensor>(x: T, axis: number, options: CumulativeSumOptions = {}): T {
  checkOptions('cumulativeSum', options, { exclusive: 'boolean', reverse: 'boolean' });
  const { exclusive = false, reverse = false } = options;
  return cumulativeSumOperator.run({ x }, { axis, exclusive, reverse }).output as T;
}
