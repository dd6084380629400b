import type { Tensor3D, Tensor4D } from '@tensorflow/tfjs-core';
import { checkOptions } from '../check-options';
import { defineOperator } from '../operator/define-operator';
import { composedDepthwise, composedDepthwiseBackward } from './composed';
import { wasmDepthwise, wasmDepthwiseBackward } from './wasm';
import { webgpuDepthwise, webgpuDepthwiseBackward } from './webgpu';

/** Options of `depthwiseConv2d`. */
export interface DepthwiseConv2dOptions {
  /** Steps between neighbouring taps, on both axes. Default 1. */
  readonly dilation?: number | undefined;
}

/** The gradient of `depthwiseConv2dOperator`. */
export const depthwiseConv2dBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'DepthwiseConv2dBackward',
  publicName: 'depthwiseConv2d',
  inputs: { x: 'batch height width dim', kernel: 'windowHeight windowWidth dim', dOutput: 'batch height width dim' },
  attributes: { dilation: 1 },
  attributeRules: { dilation: 'positiveInteger' },
  outputs: { dX: 'batch height width dim', dKernel: 'windowHeight windowWidth dim' },
  compose: composedDepthwiseBackward,
  kernels: { wasm: wasmDepthwiseBackward, webgpu: webgpuDepthwiseBackward },
});

/** Depthwise convolution over height and width. */
export const depthwiseConv2dOperator = /* @__PURE__ */ defineOperator({
  name: 'DepthwiseConv2d',
  inputs: { x: 'batch height width dim', kernel: 'windowHeight windowWidth dim' },
  attributes: { dilation: 1 },
  attributeRules: { dilation: 'positiveInteger' },
  outputs: { output: 'batch height width dim' },
  compose: composedDepthwise,
  kernels: { wasm: wasmDepthwise, webgpu: webgpuDepthwise },
  backward: depthwiseConv2dBackwardOperator,
});

/**
 * Depthwise convolution over height and width: each channel is cross-correlated with taps of its own. The output is as large as the input;
 * outside it is 0. On each axis tap r reads `dilation (r - floor((window - 1) / 2))` away.
 *
 * @param x - `[batch, height, width, dim]`, float32.
 * @param kernel - `[windowHeight, windowWidth, dim]`; the window may be larger than the image.
 * @param options - `dilation` (default 1).
 * @returns `[batch, height, width, dim]`. New tensor; the caller disposes it.
 * @throws ShapeError if an axis differs between arguments; DTypeError; OptionError for an unknown option or value.
 * @remarks O(height width windowHeight windowWidth dim) time, memory of the input's size. Differentiable in `x` and `kernel`, with any dilation.
 * @example
 * const output = depthwiseConv2d(image, kernel, { dilation: 2 });
 */
export function depthwiseConv2d(x: Tensor4D, kernel: Tensor3D, options: DepthwiseConv2dOptions = {}): Tensor4D {
  checkOptions('depthwiseConv2d', options, { dilation: 'positiveInteger' });
  return depthwiseConv2dOperator.run({ x, kernel }, options as { dilation?: number }).output;
}
