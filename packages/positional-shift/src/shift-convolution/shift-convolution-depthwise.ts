import { checkOptions, checkTensor, defineOperator } from '@mixfold/tensor-ops';
import type { Tensor2D, Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import { type Boundary, boundaries } from '../boundary';
import { composedShiftDepthwise, composedShiftDepthwiseBackward } from './composed-depthwise';
import { offsetsAttribute } from './geometry';
import type { ShiftConvolutionOptions } from './shift-convolution';
import type { ShiftConvolution2dOptions } from './shift-convolution-2d';
import { wasmShiftDepthwise, wasmShiftDepthwiseBackward } from './wasm-depthwise';
import { webgpuShiftDepthwise, webgpuShiftDepthwiseBackward } from './webgpu-depthwise';

const attributes: { offsets: string; boundary: Boundary } = { offsets: '[]', boundary: 'zero' };
const attributeRules = { boundary: boundaries };

/** The gradient of `shiftConvolutionDepthwiseOperator`. */
export const shiftConvolutionDepthwiseBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftConvolutionDepthwiseBackward',
  publicName: 'shiftConvolutionDepthwise',
  inputs: { x: 'batch time dim', theta: 'terms dim', dOutput: 'batch time dim' },
  attributes,
  attributeRules,
  outputs: { dX: 'batch time dim', dTheta: 'terms dim' },
  compose: composedShiftDepthwiseBackward,
  kernels: { wasm: wasmShiftDepthwiseBackward, webgpu: webgpuShiftDepthwiseBackward },
});

/** Depthwise convolution over shifts of time. Offsets are an attribute, as JSON. */
export const shiftConvolutionDepthwiseOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftConvolutionDepthwise',
  inputs: { x: 'batch time dim', theta: 'terms dim' },
  attributes,
  attributeRules,
  outputs: { output: 'batch time dim' },
  compose: composedShiftDepthwise,
  kernels: { wasm: wasmShiftDepthwise, webgpu: webgpuShiftDepthwise },
  backward: shiftConvolutionDepthwiseBackwardOperator,
  separateGradients: true,
});

/** The gradient of `shiftConvolutionDepthwise2dOperator`. */
export const shiftConvolutionDepthwise2dBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftConvolutionDepthwise2dBackward',
  publicName: 'shiftConvolutionDepthwise2d',
  inputs: { x: 'batch height width dim', theta: 'terms dim', dOutput: 'batch height width dim' },
  attributes,
  attributeRules,
  outputs: { dX: 'batch height width dim', dTheta: 'terms dim' },
  compose: composedShiftDepthwiseBackward,
  kernels: { wasm: wasmShiftDepthwiseBackward, webgpu: webgpuShiftDepthwiseBackward },
});

/** Depthwise convolution over shifts of a grid. Offsets are an attribute, as JSON. */
export const shiftConvolutionDepthwise2dOperator = /* @__PURE__ */ defineOperator({
  name: 'ShiftConvolutionDepthwise2d',
  inputs: { x: 'batch height width dim', theta: 'terms dim' },
  attributes,
  attributeRules,
  outputs: { output: 'batch height width dim' },
  compose: composedShiftDepthwise,
  kernels: { wasm: wasmShiftDepthwise, webgpu: webgpuShiftDepthwise },
  backward: shiftConvolutionDepthwise2dBackwardOperator,
  separateGradients: true,
});

/**
 * Depthwise convolution over shifts of time: every channel sums what stands at given offsets before it, with numbers of its own.
 *
 * $$ y_{n,p} = \sum_k \theta_{k,p} \, x_{n - d_k,\, p} $$
 *
 * @param x - `[batch, time, dim]`, float32.
 * @param theta - `[terms, dim]`, one row per offset.
 * @param options - `offsets`, target - source, of any length and order; `boundary` (default `'zero'`).
 * @returns `[batch, time, dim]`. New tensor; the caller disposes it.
 * @throws ShapeError, OptionError and DTypeError as `shiftConvolution`.
 * @remarks O(batch time terms dim) time, memory of the result. Differentiable in `x` and `theta`.
 * @see Andreoli 2019, depthwise parameters of a grid convolution, https://arxiv.org/abs/1905.01289
 * @example
 * const output = shiftConvolutionDepthwise(x, taps, { offsets: symmetricOffsets(9), boundary: 'circular' });
 */
export function shiftConvolutionDepthwise(x: Tensor3D, theta: Tensor2D, options: ShiftConvolutionOptions): Tensor3D {
  checkOptions('shiftConvolutionDepthwise', options, { offsets: 'unchecked', boundary: boundaries });
  checkTensor('shiftConvolutionDepthwise', 'x', x, ['float32']);
  checkTensor('shiftConvolutionDepthwise', 'theta', theta, ['float32']);
  const { offsets, boundary = 'zero' } = options ?? {};
  const axes = { time: x.shape[1] ?? 0 };
  const attribute = offsetsAttribute('shiftConvolutionDepthwise', offsets, axes, boundary, theta.shape[0] ?? 0);
  return shiftConvolutionDepthwiseOperator.run({ x, theta }, { offsets: attribute, boundary }).output;
}

/**
 * Depthwise convolution over shifts of a grid: every channel sums what stands at given offsets above and left of it, with numbers of its own.
 *
 * @param x - `[batch, height, width, dim]`, float32.
 * @param theta - `[terms, dim]`, one row per offset.
 * @param options - `offsets`, pairs `[dy, dx]` of target - source; `boundary` (default `'zero'`), on both axes.
 * @returns `[batch, height, width, dim]`. New tensor; the caller disposes it.
 * @throws ShapeError, OptionError and DTypeError as `shiftConvolution`.
 * @remarks O(batch height width terms dim) time, memory of the result. Differentiable in `x` and `theta`.
 * @example
 * const output = shiftConvolutionDepthwise2d(image, taps, { offsets: [[0, 0], [1, 1]] }); // itself, and above left
 */
export function shiftConvolutionDepthwise2d(x: Tensor4D, theta: Tensor2D, options: ShiftConvolution2dOptions): Tensor4D {
  checkOptions('shiftConvolutionDepthwise2d', options, { offsets: 'unchecked', boundary: boundaries });
  checkTensor('shiftConvolutionDepthwise2d', 'x', x, ['float32']);
  checkTensor('shiftConvolutionDepthwise2d', 'theta', theta, ['float32']);
  const { offsets, boundary = 'zero' } = options ?? {};
  const axes = { height: x.shape[1] ?? 0, width: x.shape[2] ?? 0 };
  const attribute = offsetsAttribute('shiftConvolutionDepthwise2d', offsets, axes, boundary, theta.shape[0] ?? 0);
  return shiftConvolutionDepthwise2dOperator.run({ x, theta }, { offsets: attribute, boundary }).output;
}
