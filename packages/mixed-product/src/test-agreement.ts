import {
  assertAgrees,
  numericalGradient,
  type PlainInputs,
  type ShapedValues,
  type TestForm,
  type Tolerance,
  tensorOf,
} from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';

/** A form, or just what the backend promises. */
export type Tested = Pick<TestForm, 'run'> & { readonly tolerance: Tolerance };

/** Tensors by the names of the inputs they were made of. */
export type Given = Record<string, tf.Tensor>;

/**
 * Output and every gradient of `call` against a float64 function of the same inputs, whose gradients are its central differences.
 *
 * @param of - the inputs that are differentiated. Default: all.
 */
export async function agrees<Inputs extends Record<string, ShapedValues>>(
  form: Tested,
  inputs: Inputs,
  call: (given: { [Name in keyof Inputs]: tf.Tensor }) => tf.Tensor,
  reference: (plain: { [Name in keyof Inputs]: Float64Array }) => Float64Array,
  cotangent: ArrayLike<number>,
  of: readonly (keyof Inputs & string)[] = Object.keys(inputs),
): Promise<void> {
  const plain = Object.fromEntries(Object.entries(inputs).map(([name, { data }]) => [name, Float64Array.from(data)]));
  const tensors = Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, tensorOf(values)]));
  const { value, grads } = differentiated(form, tensors, call as (given: Given) => tf.Tensor, cotangent, of);
  const expected = reference(plain as never);
  const gradients = numericalGradient(reference as unknown as (plain: PlainInputs) => Float64Array, plain, { cotangent, of });
  const shaped = Object.fromEntries(of.map((name) => [name, { shape: tensors[name]!.shape, data: gradients[name]! }]));
  await assertAgrees({ output: value, ...grads }, { output: expected, ...shaped }, { relative: form.tolerance });
}

/** Value and gradients of a call in one form. */
export function differentiated(
  form: Pick<TestForm, 'run'>,
  given: Given,
  call: (given: Given) => tf.Tensor,
  cotangent: ArrayLike<number>,
  of: readonly string[] = Object.keys(given),
): { value: tf.Tensor; grads: Given } {
  const traced = (...xs: tf.Tensor[]) => call({ ...given, ...Object.fromEntries(of.map((name, i) => [name, xs[i]!])) });
  const { value, grads } = form.run(() => {
    const shape = tf.tidy(() => call(given).shape);
    return tf.valueAndGrads(traced)(
      of.map((name) => given[name]!),
      tf.tensor(Float32Array.from(cotangent), shape),
    );
  });
  return { value, grads: Object.fromEntries(of.map((name, i) => [name, grads[i]!])) };
}
