import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { checkOptions } from '../check-options';
import { defineOperator } from '../operator/define-operator';
import { composedDepthwise, composedDepthwiseBackward } from './composed';
import { wasmDepthwise, wasmDepthwiseBackward } from './wasm';
import { webgpuDepthwise, webgpuDepthwiseBackward } from './webgpu';

/** Options of `depthwiseConv1d`. */
export interface DepthwiseConv1dOptions {
  /** Whether an output sees only its own time and what is before. Default false. */
  readonly causal?: boolean | undefined;
  /** Steps between neighbouring taps. Default 1. */
  readonly dilation?: number | undefined;
}

/** The gradient of `depthwiseConv1dOperator`. */
export const depthwiseConv1dBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'DepthwiseConv1dBackward',
  publicName: 'depthwiseConv1d',
  inputs: { x: 'batch time dim', kernel: 'window dim', dOutput: 'batch time dim' },
  attributes: { causal: false, dilation: 1 },
  attributeRules: { dilation: 'positiveInteger' },
  outputs: { dX: 'batch time dim', dKernel: 'window dim' },
  compose: composedDepthwiseBackward,
  kernels: { wasm: wasmDepthwiseBackward, webgpu: webgpuDepthwiseBackward },
});

/** Depthwise convolution over time. */
export const depthwiseConv1dOperator = /* @__PURE__ */ defineOperator({
  name: 'DepthwiseConv1d',
  inputs: { x: 'batch time dim', kernel: 'window dim' },
  attributes: { causal: false, dilation: 1 },
  attributeRules: { dilation: 'positiveInteger' },
  outputs: { output: 'batch time dim' },
  compose: composedDepthwise,
  kernels: { wasm: wasmDepthwise, webgpu: webgpuDepthwise },
  backward: depthwiseConv1dBackwardOperator,
});

/**
 * Depthwise convolution over time: each channel is cross-correlated with taps of its own. The output is as long as the input; outside it is 0.
 *
 * $$ y_{t,c} = \sum_r k_{r,c} \, x_{t + d (r - o), c} $$
 *
 * with dilation $d$ and $o = \lfloor (window - 1) / 2 \rfloor$, or $o = window - 1$ if causal.
 *
 * @param x - `[batch, time, dim]`, float32.
 * @param kernel - `[window, dim]`; the window may be wider than the sequence.
 * @param options - `causal` (default false), `dilation` (default 1).
 * @returns `[batch, time, dim]`. New tensor; the caller disposes it.
 * @throws ShapeError if an axis differs between arguments; DTypeError; OptionError for an unknown option or value.
 * @remarks O(time window dim) time, O(time dim) memory. Differentiable in `x` and `kernel`, with any dilation.
 * @example
 * const output = depthwiseConv1d(x, kernel, { causal: true, dilation: 2 });
 */
export function depthwiseConv1d(x: Tensor3D, kernel: Tensor2D, options: DepthwiseConv1dOptions = {}): Tensor3D {
  checkOptions('depthwiseConv1d', options, { causal: 'boolean', dilation: 'positiveInteger' });
  return depthwiseConv1dOperator.run({ x, kernel }, options as { causal?: boolean; dilation?: number }).output;
}
