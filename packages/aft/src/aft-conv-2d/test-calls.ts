import { type SeededRandom, type ShapedValues, type TestForm, tensorOf } from '@mixfold/testing';
import { type Tensor, type Tensor3D, type Tensor4D, valueAndGrads } from '@tensorflow/tfjs-core';
import type { AftOptions } from '../aft-simple/aft-simple';
import { aftConvReference } from '../conv-grid/reference';
import { aftConv2d } from './aft-conv-2d';

/** Arguments of a call on plain arrays. */
export interface Conv2dArguments {
  readonly query: ShapedValues;
  readonly key: ShapedValues;
  readonly value: ShapedValues;
  readonly kernel: ShapedValues;
  readonly keyMask?: ShapedValues | undefined;
}

export type Conv2dOptions = Omit<AftOptions, 'keyMask' | 'causal'>;

/** Batch, height, width, dim, heads, windowHeight, windowWidth. */
export type Conv2dShape = readonly [number, number, number, number, number, number, number];

/** Random arguments; keys and kernel have deviation `spread`. */
export function randomArguments(random: SeededRandom, shape: Conv2dShape, spread = 1): Conv2dArguments {
  const [batch, height, width, dim, heads, windowHeight, windowWidth] = shape;
  return {
    query: random.normals([batch, height, width, dim]),
    key: random.normals([batch, height, width, heads], spread),
    value: random.normals([batch, height, width, dim]),
    kernel: random.normals([heads, windowHeight, windowWidth], spread),
  };
}

const call =
  (given: Conv2dArguments, options: Conv2dOptions) =>
  (...[query, key, value, kernel]: Tensor[]) =>
    aftConv2d(query as Tensor4D, key as Tensor4D, value as Tensor4D, kernel as Tensor3D, {
      ...options,
      keyMask: given.keyMask && tensorOf(given.keyMask),
    });

/** `aftConv2d` and its gradients in one form. */
export function differentiateConv2d(
  form: TestForm,
  given: Conv2dArguments,
  cotangent: ShapedValues,
  options: Conv2dOptions = {},
) {
  const inputs = [given.query, given.key, given.value, given.kernel].map((x) => tensorOf(x));
  const dy = tensorOf<Tensor4D>(cotangent);
  const { value, grads } = form.run(() => valueAndGrads(call(given, options))(inputs, dy));
  const [dQuery, dKey, dValue, dKernel] = grads as [Tensor, Tensor, Tensor, Tensor];
  return { output: value as Tensor, dQuery, dKey, dValue, dKernel };
}

/** The same by the float64 reference. */
export function referenceConv2d(given: Conv2dArguments, cotangent: ShapedValues, options: Conv2dOptions = {}) {
  const [batch, height, width, dim] = given.query.shape as [number, number, number, number];
  const [heads, windowHeight, windowWidth] = given.kernel.shape as [number, number, number];
  const [query, key, value, kernel] = [given.query.data, given.key.data, given.value.data, given.kernel.data];
  const { queryActivation = 'sigmoid' } = options;
  const grid = { batch, height, width, dim, heads, windowHeight, windowWidth, causal: false, queryActivation };
  return aftConvReference({ ...grid, query, key, value, kernel, keyMask: given.keyMask?.data }, cotangent.data);
}

/** Output and gradients, by name. */
export const results = ['output', 'dQuery', 'dKey', 'dValue', 'dKernel'] as const;
