import { checkOptions, checkTensor, defineOperator } from '@mixfold/tensor-ops';
import type { Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import { type Boundary, boundaries } from '../boundary';
import { composedShiftConvolution, composedShiftConvolutionBackward } from './composed';
import { type Offset2d, offsetsAttribute } from './geometry';
import { wasmShiftConvolution, wasmShiftConvolutionBackward } from './wasm';
import { webgpuShiftConvolution, webgpuShiftConvolutionBackward } from './webgpu';

/** Options of a shift convolution over a grid. */
export interface ShiftConvolution2dOptions {
  /** One pair `[dy, dx]` of integers per term, target - source: positive ones look up and left. */
  readonly offsets: readonly Offset2d[];
  /** What is read beyond the edges, on both axes. Default `'zero'`. */
  readonly boundary?: Boundary | undefined;
}

const attributes: { offsets: string; boundary: Boundary } = { offsets: '[]', boundary: 'zero' };
const attributeRules = { boundary: boundaries };

/** The gradient of `shiftConvolution2dOperator`. */
export const shiftConvolution2dBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftConvolution2dBackward',
  publicName: 'shiftConvolution2d',
  inputs: { x: 'batch height width dim', theta: 'terms dim channels', dOutput: 'batch height width channels' },
  attributes,
  attributeRules,
  outputs: { dX: 'batch height width dim', dTheta: 'terms dim channels' },
  compose: composedShiftConvolutionBackward,
  kernels: { wasm: wasmShiftConvolutionBackward, webgpu: webgpuShiftConvolutionBackward },
});

/** Structured convolution over shifts of a grid. Offsets are an attribute, as JSON. */
export const shiftConvolution2dOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftConvolution2d',
  inputs: { x: 'batch height width dim', theta: 'terms dim channels' },
  attributes,
  attributeRules,
  outputs: { output: 'batch height width channels' },
  compose: composedShiftConvolution,
  kernels: { wasm: wasmShiftConvolution, webgpu: webgpuShiftConvolution },
  backward: shiftConvolution2dBackwardOperator,
  separateGradients: true,
});

/**
 * Convolution over shifts of a grid: every place sums what stands at given offsets above and left of it, each through a matrix of its own.
 *
 * $$ y_{(i, j)} = \sum_k x_{(i - dy_k,\, j - dx_k)} \Theta_k $$
 *
 * The shift matrix of a pair is the Kronecker product of those of its two offsets.
 *
 * @param x - `[batch, height, width, dim]`, float32.
 * @param theta - `[terms, dim, channels]`, one matrix per offset.
 * @param options - `offsets`, pairs `[dy, dx]` of target - source; `boundary` (default `'zero'`), on both axes.
 * @returns `[batch, height, width, channels]`. New tensor; the caller disposes it.
 * @throws ShapeError, OptionError and DTypeError as `shiftConvolution`.
 * @remarks O(batch height width terms dim channels) time. Shifted copies of `x` are never made. Differentiable in `x` and `theta`.
 * @see Andreoli 2019, grid convolution, https://arxiv.org/abs/1905.01289
 * @example
 * const output = shiftConvolution2d(image, theta, { offsets: [[0, 0], [1, 0], [0, 1]] }); // itself, above, left
 */
export function shiftConvolution2d(x: Tensor4D, theta: Tensor3D, options: ShiftConvolution2dOptions): Tensor4D {
  checkOptions('shiftConvolution2d', options, { offsets: 'unchecked', boundary: boundaries });
  checkTensor('shiftConvolution2d', 'x', x, ['float32']);
  checkTensor('shiftConvolution2d', 'theta', theta, ['float32']);
  const { offsets, boundary = 'zero' } = options ?? {};
  const axes = { height: x.shape[1] ?? 0, width: x.shape[2] ?? 0 };
  const attribute = offsetsAttribute('shiftConvolution2d', offsets, axes, boundary, theta.shape[0] ?? 0);
  return shiftConvolution2dOperator.run({ x, theta }, { offsets: attribute, boundary }).output;
}
