import { checkOptions, defineOperator, OptionError, ShapeError } from '@mixfold/tensor-ops';
import { Tensor } from '@tensorflow/tfjs-core';
import { type Boundary, boundaries, checkOffset } from '../boundary';
import { composedShift, composedShiftBackward } from './composed';
import { wasmShift, wasmShiftBackward } from './wasm';
import { webgpuShift, webgpuShiftBackward } from './webgpu';

/** Options of `shift`. */
export interface ShiftOptions {
  /** The axis to shift along; a negative one counts from the end. Default 1, time. */
  readonly axis?: number | undefined;
  /** What is read beyond the ends. Default `'zero'`. */
  readonly boundary?: Boundary | undefined;
}

const attributes: { offset: number; axis: number; boundary: Boundary } = { offset: 0, axis: 1, boundary: 'zero' };
const attributeRules = { boundary: boundaries };

/** The gradient of `shiftOperator`: its adjoint. */
export const shiftBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftBackward',
  publicName: 'shift',
  inputs: { dOutput: '...x' },
  attributes,
  attributeRules,
  outputs: { dX: '...x' },
  compose: composedShiftBackward,
  kernels: { wasm: wasmShiftBackward, webgpu: webgpuShiftBackward },
});

/** A shift along one axis. */
export const shiftOperator = /* @__PURE__ */ defineOperator({
  name: 'Shift',
  inputs: { x: '...x' },
  attributes,
  attributeRules,
  outputs: { output: '...x' },
  compose: composedShift,
  kernels: { wasm: wasmShift, webgpu: webgpuShift },
  backward: shiftBackwardOperator,
});

/**
 * Shifts a tensor along one axis: `y[n] = x[n - offset]`. A positive offset looks back: what stood at n stands at n + offset.
 *
 * @param x - Any shape with at least one axis, float32.
 * @param offset - An integer, target - source; one longer than the axis is allowed, but for `'reflect'`.
 * @param options - `axis` (default 1), `boundary` (default `'zero'`).
 * @returns A tensor of the shape of `x`; the caller disposes it.
 * @throws OptionError if the offset is no integer, `'reflect'` is to hold one of more than the axis' length - 1, or there is no such axis; DTypeError.
 * @remarks Time and memory of a copy. Differentiable in `x`: the gradient is the adjoint shift.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289, whose shift matrix A_d has (A_d)[m, n] = 1 where n - m = d; this is A_d^T x.
 * @example
 * const before = shift(tokens, 1); // [batch, time, dim]: each token's predecessor, zeros at the start
 */
export function shift<T extends Tensor>(x: T, offset: number, options: ShiftOptions = {}): T {
  checkOptions('shift', options, { axis: 'unchecked', boundary: boundaries });
  const { axis = 1, boundary = 'zero' } = options;
  if (!Number.isSafeInteger(axis)) throw new OptionError(`shift: option axis must be an integer, got ${String(axis)}`);
  if (!(x instanceof Tensor)) return shiftOperator.run({ x }, {}).output as T;
  const at = axis < 0 ? x.rank + axis : axis;
  if (at < 0 || at >= x.rank) {
    throw new ShapeError(`shift: axis ${axis} is not there: x has ${x.rank} axes, its shape is [${x.shape.join(', ')}]`);
  }
  checkOffset('shift', 'offset', offset, x.shape[at]!, boundary);
  return shiftOperator.run({ x }, { offset, axis: at, boundary }).output as T;
}
