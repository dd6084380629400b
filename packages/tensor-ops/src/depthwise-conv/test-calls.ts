import { assertClose, type SeededRandom, type ShapedValues, type TestForm, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { depthwiseConv1d } from './depthwise-conv-1d';
import { depthwiseConv2d } from './depthwise-conv-2d';
import { type ConvGeometry, geometryOf } from './geometry';
import { depthwiseReference } from './reference';

export interface ConvOptions {
  readonly causal?: boolean;
  readonly dilation?: number;
}

/** A call in one or two dimensions, by the rank of `x`. */
export function convolve(x: tf.Tensor, kernel: tf.Tensor, options: ConvOptions): tf.Tensor {
  if (x.rank === 3) return depthwiseConv1d(x as tf.Tensor3D, kernel as tf.Tensor2D, options);
  return depthwiseConv2d(x as tf.Tensor4D, kernel as tf.Tensor3D, options);
}

/** The call with its gradients in one form. */
export function differentiate(form: TestForm, x: tf.Tensor, kernel: tf.Tensor, cotangent: tf.Tensor, options: ConvOptions) {
  const call = (...[a, b]: tf.Tensor[]) => convolve(a!, b!, options);
  const { value, grads } = form.run(() => tf.valueAndGrads(call)([x, kernel], cotangent));
  return { output: value, dX: grads[0]!, dKernel: grads[1]! };
}

export function geometryOfShapes(shape: readonly number[], window: readonly number[], options: ConvOptions): ConvGeometry {
  const names = shape.length === 3 ? 'batch time dim window' : 'batch height width dim windowHeight windowWidth';
  const sizes = Object.fromEntries(names.split(' ').map((name, i) => [name, [...shape, ...window][i]!]));
  return geometryOf(sizes, { causal: false, dilation: 1, ...options });
}

/** Output and gradients of a random call are those of the reference. */
export async function agreesWithReference(
  form: TestForm,
  random: SeededRandom,
  shape: readonly number[],
  window: readonly number[],
  options: ConvOptions,
  draw: (shape: readonly number[]) => ShapedValues = (of) => random.normals(of),
): Promise<void> {
  const kernelShape = [...window, shape.at(-1)!];
  const [x, kernel, cotangent] = [draw(shape), draw(kernelShape), draw(shape)];
  const expected = depthwiseReference(geometryOfShapes(shape, window, options), x.data, kernel.data, cotangent.data);
  const actual = differentiate(form, tensorOf(x), tensorOf(kernel), tensorOf(cotangent), options);
  await assertClose('output', actual.output, { shape, data: expected.output }, { relative: form.tolerance.forward });
  await assertClose('dX', actual.dX, { shape, data: expected.dX }, { relative: form.tolerance.gradient });
  await assertClose(
    'dKernel',
    actual.dKernel,
    { shape: kernelShape, data: expected.dKernel },
    { relative: form.tolerance.gradient },
  );
}
