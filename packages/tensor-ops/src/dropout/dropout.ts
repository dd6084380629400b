import type { Tensor } from '@tensorflow/tfjs-core';
import { checkOptions, show } from '../check-options';
import { OptionError } from '../errors';
import { defineOperator } from '../operator/define-operator';
import { composedDropout, composedDropoutBackward } from './composed';
import type { DropoutAttributes } from './random-bits';
import { wasmDropout, wasmDropoutBackward } from './wasm';
import { webgpuDropout, webgpuDropoutBackward } from './webgpu';

/** Options of `dropout`; both must be given. */
export interface DropoutOptions {
  /** The share of elements to drop, at least 0 and less than 1. */
  readonly rate: number;
  /** An integer, 0 or above. Equal seeds drop equal places, so give every call of a training step one of its own. */
  readonly seed: number;
}

function checkRate(_: unknown, { rate }: DropoutAttributes) {
  if (rate < 0 || rate >= 1) throw new OptionError(`dropout: option rate must be at least 0 and less than 1, got ${show(rate)}`);
  return {};
}

/** The gradient of `dropoutOperator`: what arrives is dropped at the same places. */
export const dropoutBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'DropoutBackward',
  publicName: 'dropout',
  inputs: { dOutput: '...x' },
  attributes: { rate: 0, seed: 0 },
  attributeRules: { seed: 'nonNegativeInteger' },
  outputs: { dX: '...x' },
  compose: composedDropoutBackward,
  kernels: { wasm: wasmDropoutBackward, webgpu: webgpuDropoutBackward },
});

/** Random elements set to 0, the others scaled up. */
export const dropoutOperator = /* @__PURE__ */ defineOperator({
  name: 'Dropout',
  inputs: { x: '...x' },
  attributes: { rate: 0, seed: 0 },
  attributeRules: { seed: 'nonNegativeInteger' },
  outputs: { output: '...x' },
  shapes: checkRate,
  compose: composedDropout,
  kernels: { wasm: wasmDropout, webgpu: webgpuDropout },
  backward: dropoutBackwardOperator,
});

/**
 * Sets random elements to 0, and scales the others by `1 / (1 - rate)`, so that the mean stays.
 *
 * @param x - float32, of any shape.
 * @param options - `rate` and `seed`. What is dropped depends on the seed, the rate and an element's place alone: it is the same on every
 *   backend, in every form, and in the gradient.
 * @returns The shape of `x`. New tensor; the caller disposes it. What is dropped may hold anything, NaN included.
 * @throws OptionError for a missing or unknown option or value; DTypeError.
 * @remarks O(size) time; no mask is kept for the gradient. Differentiable in `x`.
 * @see Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
 * @example
 * const dropped = dropout(x, { rate: 0.1, seed: step });
 */
export function dropout<T extends Tensor>(x: T, options: DropoutOptions): T {
  checkOptions('dropout', options, { rate: 'finite', seed: 'nonNegativeInteger' });
  for (const name of ['rate', 'seed'] as const) {
    if (options?.[name] === undefined) throw new OptionError(`dropout: option ${name} is required`);
  }
  return dropoutOperator.run({ x }, { rate: options.rate, seed: options.seed }).output as T;
}
