import { type SeededRandom, type ShapedValues, type TestForm, tensorOf } from '@mixfold/testing';
import { type Tensor, type Tensor3D, valueAndGrads } from '@tensorflow/tfjs-core';
import { type AftOptions, aftSimple } from './aft-simple';
import { aftSimpleReference } from './reference';

/** The backends whose fused kernels the tests force. */
export const fusedBackends = ['wasm', 'webgpu'] as const;

/** Arguments of a call on plain arrays. */
export interface SimpleArguments {
  readonly query: ShapedValues;
  readonly key: ShapedValues;
  readonly value: ShapedValues;
  readonly keyMask?: ShapedValues | undefined;
}

export type SimpleOptions = Omit<AftOptions, 'keyMask'>;

/** Random arguments of shape `[batch, time, dim]`; keys have deviation `spread`. */
export function randomArguments(random: SeededRandom, shape: readonly number[], spread = 1): SimpleArguments {
  return { query: random.normals(shape), key: random.normals(shape, spread), value: random.normals(shape) };
}

const optionsOf = (given: SimpleArguments, options: SimpleOptions): AftOptions =>
  given.keyMask === undefined ? options : { ...options, keyMask: tensorOf(given.keyMask) };

/** `aftSimple` in one form. */
export function runSimple(form: TestForm, given: SimpleArguments, options: SimpleOptions = {}): Tensor3D {
  const [query, key, value] = [given.query, given.key, given.value].map((values) => tensorOf<Tensor3D>(values)) as [
    Tensor3D,
    Tensor3D,
    Tensor3D,
  ];
  return form.run(() => aftSimple(query, key, value, optionsOf(given, options)));
}

/** `aftSimple` and its gradients in one form. */
export function differentiateSimple(
  form: TestForm,
  given: SimpleArguments,
  cotangent: ShapedValues,
  options: SimpleOptions = {},
) {
  const inputs = [given.query, given.key, given.value].map((values) => tensorOf<Tensor3D>(values));
  const all = optionsOf(given, options);
  const call = (...[query, key, value]: Tensor[]) => aftSimple(query as Tensor3D, key as Tensor3D, value as Tensor3D, all);
  const { value, grads } = form.run(() => valueAndGrads(call)(inputs, tensorOf<Tensor3D>(cotangent)));
  const [dQuery, dKey, dValue] = grads as [Tensor, Tensor, Tensor];
  return { output: value, dQuery, dKey, dValue };
}

/** The same by the float64 reference. */
export function referenceSimple(given: SimpleArguments, cotangent?: ShapedValues, options: SimpleOptions = {}) {
  const [batch, time, dim] = given.query.shape as [number, number, number];
  const { causal = false, queryActivation = 'sigmoid' } = options;
  const [query, key, value] = [given.query.data, given.key.data, given.value.data];
  const call = { batch, time, dim, query, key, value, keyMask: given.keyMask?.data, causal, queryActivation };
  return aftSimpleReference(call, cotangent?.data);
}
