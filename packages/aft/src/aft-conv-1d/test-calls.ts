import { type SeededRandom, type ShapedValues, type TestForm, tensorOf } from '@mixfold/testing';
import { type Tensor, type Tensor2D, type Tensor3D, valueAndGrads } from '@tensorflow/tfjs-core';
import type { AftOptions } from '../aft-simple/aft-simple';
import { aftConvReference } from '../conv-grid/reference';
import { aftConv1d } from './aft-conv-1d';

/** The backends whose fused kernels the tests force. */
export const fusedBackends = ['wasm', 'webgpu'] as const;

/** Arguments of a call on plain arrays. */
export interface Conv1dArguments {
  readonly query: ShapedValues;
  readonly key: ShapedValues;
  readonly value: ShapedValues;
  readonly kernel: ShapedValues;
  readonly keyMask?: ShapedValues | undefined;
}

export type Conv1dOptions = Omit<AftOptions, 'keyMask'>;

export type Conv1dShape = readonly [batch: number, time: number, dim: number, heads: number, window: number];

/** Random arguments; keys have deviation `spread`. */
export function randomArguments(
  random: SeededRandom,
  [batch, time, dim, heads, window]: Conv1dShape,
  spread = 1,
): Conv1dArguments {
  return {
    query: random.normals([batch, time, dim]),
    key: random.normals([batch, time, heads], spread),
    value: random.normals([batch, time, dim]),
    kernel: random.normals([heads, window], spread),
  };
}

const optionsOf = (given: Conv1dArguments, options: Conv1dOptions): AftOptions =>
  given.keyMask === undefined ? options : { ...options, keyMask: tensorOf(given.keyMask) };

const call =
  (options: AftOptions) =>
  (...[query, key, value, kernel]: Tensor[]) =>
    aftConv1d(query as Tensor3D, key as Tensor3D, value as Tensor3D, kernel as Tensor2D, options);

const tensorsOf = ({ query, key, value, kernel }: Conv1dArguments): Tensor[] =>
  [query, key, value, kernel].map((x) => tensorOf(x));

/** `aftConv1d` in one form. */
export function runConv1d(form: TestForm, given: Conv1dArguments, options: Conv1dOptions = {}): Tensor3D {
  const inputs = tensorsOf(given);
  return form.run(() => call(optionsOf(given, options))(...inputs));
}

/** `aftConv1d` and its gradients in one form. */
export function differentiateConv1d(
  form: TestForm,
  given: Conv1dArguments,
  cotangent: ShapedValues,
  options: Conv1dOptions = {},
) {
  const inputs = tensorsOf(given);
  const dy = tensorOf<Tensor3D>(cotangent);
  const { value, grads } = form.run(() => valueAndGrads(call(optionsOf(given, options)))(inputs, dy));
  const [dQuery, dKey, dValue, dKernel] = grads as [Tensor, Tensor, Tensor, Tensor];
  return { output: value as Tensor, dQuery, dKey, dValue, dKernel };
}

/** The same by the float64 reference. */
export function referenceConv1d(given: Conv1dArguments, cotangent?: ShapedValues, options: Conv1dOptions = {}) {
  const [batch, width, dim] = given.query.shape as [number, number, number];
  const [heads, windowWidth] = given.kernel.shape as [number, number];
  const { causal = false, queryActivation = 'sigmoid' } = options;
  const [query, key, value, kernel] = [given.query.data, given.key.data, given.value.data, given.kernel.data];
  const grid = { batch, height: 1, width, dim, heads, windowHeight: 1, windowWidth };
  return aftConvReference(
    { ...grid, query, key, value, kernel, keyMask: given.keyMask?.data, causal, queryActivation },
    cotangent?.data,
  );
}

/** Output and gradients, by name. */
export const results = ['output', 'dQuery', 'dKey', 'dValue', 'dKernel'] as const;
