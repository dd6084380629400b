import { checkOptions, checkTensor, defineOperator, OptionError, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor1D, Tensor3D } from '@tensorflow/tfjs-core';
import { composedFractionalShift, composedFractionalShiftBackward } from './composed';
import { wasmFractionalShift, wasmFractionalShiftBackward } from './wasm';
import { webgpuFractionalShift, webgpuFractionalShiftBackward } from './webgpu';

/** The boundaries that hold an offset of any size, as a learned one may become. */
export type FractionalBoundary = 'zero' | 'circular' | 'replicate';

/** In the order of the kernels. */
const held = ['zero', 'circular', 'replicate'] as const satisfies readonly FractionalBoundary[];

/** Options of `fractionalShift`. */
export interface FractionalShiftOptions {
  /** What is read beyond the ends. Default `'zero'`. */
  readonly boundary?: FractionalBoundary | undefined;
}

const attributes: { boundary: FractionalBoundary } = { boundary: 'zero' };
const attributeRules = { boundary: held };

/** The gradient of `fractionalShiftOperator`. */
export const fractionalShiftBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'FractionalShiftBackward',
  publicName: 'fractionalShift',
  inputs: { x: 'batch time dim', offset: 'heads', dOutput: 'batch time dim' },
  attributes,
  attributeRules,
  outputs: { dX: 'batch time dim', dOffset: 'heads' },
  compose: composedFractionalShiftBackward,
  kernels: { wasm: wasmFractionalShiftBackward, webgpu: webgpuFractionalShiftBackward },
});

/** A shift of each head's channels by a real offset of its own. */
export const fractionalShiftOperator = /* @__PURE__ */ defineOperator({
  name: 'FractionalShift',
  inputs: { x: 'batch time dim', offset: 'heads' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim' },
  compose: composedFractionalShift,
  kernels: { wasm: wasmFractionalShift, webgpu: webgpuFractionalShift },
  backward: fractionalShiftBackwardOperator,
  separateGradients: true,
});

/**
 * Shifts each head's channels by a real offset of its own, between two neighbouring places in proportion, so that the offset can be learned.
 *
 * $$ y_n = (1 - f)\, x_{n - i} + f\, x_{n - i - 1}, \qquad i = \lfloor \delta \rfloor,\; f = \delta - i $$
 *
 * @param x - `[batch, time, dim]`, float32.
 * @param offset - `[heads]`, target - source; head h owns the h-th `dim / heads` neighbouring channels. Any size.
 * @param options - `boundary` (default `'zero'`): not `'reflect'`, which cannot hold an offset that outgrows the sequence.
 * @returns `[batch, time, dim]`. New tensor; the caller disposes it. At an integer offset it is `shift`.
 * @throws ShapeError if heads do not divide dim; OptionError for `'reflect'` and unknown options; DTypeError.
 * @remarks O(batch time dim). Differentiable in `x` and `offset`; where the offset is an integer its derivative is the one from the right.
 * @see Andreoli 2019, learnable shifts, https://arxiv.org/abs/1905.01289
 * @example
 * const output = fractionalShift(x, tf.tensor1d([1, 2.5])); // two heads
 */
export function fractionalShift(x: Tensor3D, offset: Tensor1D, options: FractionalShiftOptions = {}): Tensor3D {
  if ((options as { boundary?: unknown } | undefined)?.boundary === 'reflect') {
    throw new OptionError(
      "fractionalShift: boundary 'reflect' cannot hold an offset that outgrows the sequence, as a learned one may; use 'zero', 'circular' or 'replicate'",
    );
  }
  checkOptions('fractionalShift', options, { boundary: held });
  checkTensor('fractionalShift', 'x', x, ['float32']);
  checkTensor('fractionalShift', 'offset', offset, ['float32']);
  const [heads, dim] = [offset.shape[0]!, x.shape[2]!];
  if (offset.rank === 1 && x.rank === 3 && heads > 0 && dim % heads !== 0) {
    throw new ShapeError(`fractionalShift: heads must divide dim, got ${heads} offsets and dim ${dim}`);
  }
  return fractionalShiftOperator.run({ x, offset }, { boundary: options.boundary ?? 'zero' }).output;
}
