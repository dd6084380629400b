import { checkOptions, checkTensor, defineOperator } from '@mixfold/tensor-ops';
import type { Tensor3D } from '@tensorflow/tfjs-core';
import { type Boundary, boundaries } from '../boundary';
import { composedShiftConvolution, composedShiftConvolutionBackward } from './composed';
import { offsetsAttribute } from './geometry';
import { wasmShiftConvolution, wasmShiftConvolutionBackward } from './wasm';
import { webgpuShiftConvolution, webgpuShiftConvolutionBackward } from './webgpu';

/** Options of a shift convolution over time. */
export interface ShiftConvolutionOptions {
  /** One integer per term, target - source: a positive one looks back. Any order; one that stands twice counts twice. */
  readonly offsets: readonly number[];
  /** What is read beyond the ends. Default `'zero'`. */
  readonly boundary?: Boundary | undefined;
}

const attributes: { offsets: string; boundary: Boundary } = { offsets: '[]', boundary: 'zero' };
const attributeRules = { boundary: boundaries };

/** The gradient of `shiftConvolutionOperator`. */
export const shiftConvolutionBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftConvolutionBackward',
  publicName: 'shiftConvolution',
  inputs: { x: 'batch time dim', theta: 'terms dim channels', dOutput: 'batch time channels' },
  attributes,
  attributeRules,
  outputs: { dX: 'batch time dim', dTheta: 'terms dim channels' },
  compose: composedShiftConvolutionBackward,
  kernels: { wasm: wasmShiftConvolutionBackward, webgpu: webgpuShiftConvolutionBackward },
});

/** Structured convolution over shifts of time. Offsets are an attribute, as JSON. */
export const shiftConvolutionOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftConvolution',
  inputs: { x: 'batch time dim', theta: 'terms dim channels' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time channels' },
  compose: composedShiftConvolution,
  kernels: { wasm: wasmShiftConvolution, webgpu: webgpuShiftConvolution },
  backward: shiftConvolutionBackwardOperator,
  separateGradients: true,
});

/**
 * Convolution over shifts of time: every target sums what stands at given offsets before it, each through a matrix of its own.
 *
 * $$ y_n = \sum_k x_{n - d_k} \Theta_k $$
 *
 * @param x - `[batch, time, dim]`, float32.
 * @param theta - `[terms, dim, channels]`, one matrix per offset.
 * @param options - `offsets`, target - source, of any length and order; `boundary` (default `'zero'`).
 * @returns `[batch, time, channels]`. New tensor; the caller disposes it.
 * @throws ShapeError if an axis differs or `theta` has not one matrix per offset; OptionError for offsets that are no integers or that `'reflect'` cannot hold
 *   (more than time - 1); DTypeError.
 * @remarks O(batch time terms dim channels) time. Shifted copies of `x` are never made: memory is that of the result. Differentiable in `x` and `theta`.
 * @see Andreoli 2019, grid convolution, https://arxiv.org/abs/1905.01289
 * @example
 * const output = shiftConvolution(x, theta, { offsets: causalOffsets(3) }); // reads n, n - 1, n - 2
 */
export function shiftConvolution(x: Tensor3D, theta: Tensor3D, options: ShiftConvolutionOptions): Tensor3D {
  checkOptions('shiftConvolution', options, { offsets: 'unchecked', boundary: boundaries });
  checkTensor('shiftConvolution', 'x', x, ['float32']);
  checkTensor('shiftConvolution', 'theta', theta, ['float32']);
  const { offsets, boundary = 'zero' } = options ?? {};
  const axes = { time: x.shape[1] ?? 0 };
  const attribute = offsetsAttribute('shiftConvolution', offsets, axes, boundary, theta.shape[0] ?? 0);
  return shiftConvolutionOperator.run({ x, theta }, { offsets: attribute, boundary }).output;
}
