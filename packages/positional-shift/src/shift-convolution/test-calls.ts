import { assertAgrees, type SeededRandom, type ShapedValues, type TestForm, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import type { Boundary } from '../boundary';
import type { Offset2d } from './geometry';
import { shiftConvolutionReference } from './reference';
import { shiftConvolution } from './shift-convolution';
import { shiftConvolution2d } from './shift-convolution-2d';
import { shiftConvolutionDepthwise, shiftConvolutionDepthwise2d } from './shift-convolution-depthwise';

/** Offsets over time, or over a grid. */
export type Offsets = readonly number[] | readonly Offset2d[];

/** A call by the ranks of its arguments: over time or a grid, with matrices or a number per channel. */
export function convolve(x: tf.Tensor, theta: tf.Tensor, offsets: Offsets, boundary: Boundary): tf.Tensor {
  const overTime = { offsets: offsets as number[], boundary };
  const overGrid = { offsets: offsets as Offset2d[], boundary };
  if (theta.rank === 2) {
    return x.rank === 3
      ? shiftConvolutionDepthwise(x as tf.Tensor3D, theta as tf.Tensor2D, overTime)
      : shiftConvolutionDepthwise2d(x as tf.Tensor4D, theta as tf.Tensor2D, overGrid);
  }
  return x.rank === 3
    ? shiftConvolution(x as tf.Tensor3D, theta as tf.Tensor3D, overTime)
    : shiftConvolution2d(x as tf.Tensor4D, theta as tf.Tensor3D, overGrid);
}

/** Output and gradients in one form. */
export function differentiate(
  form: TestForm,
  given: { readonly x: ShapedValues; readonly theta: ShapedValues; readonly cotangent: ShapedValues },
  offsets: Offsets,
  boundary: Boundary,
) {
  const call = (...[x, theta]: tf.Tensor[]) => convolve(x!, theta!, offsets, boundary);
  const inputs = [tensorOf(given.x), tensorOf(given.theta)];
  const { value, grads } = form.run(() => tf.valueAndGrads(call)(inputs, tensorOf(given.cotangent)));
  return { output: value, dX: grads[0]!, dTheta: grads[1]! };
}

/** Output and gradients of a random call are those of the reference. `channels` of 0 stands for a depthwise call. */
export async function agreesWithReference(
  form: TestForm,
  random: SeededRandom,
  shape: readonly number[],
  channels: number,
  offsets: Offsets,
  boundary: Boundary,
): Promise<void> {
  const [batch, dim] = [shape[0]!, shape.at(-1)!];
  const [height, width] = shape.length === 3 ? [1, shape[1]!] : [shape[1]!, shape[2]!];
  const depthwise = channels === 0;
  const outputShape = depthwise ? shape : [...shape.slice(0, -1), channels];
  const given = {
    x: random.normals(shape),
    theta: random.normals(depthwise ? [offsets.length, dim] : [offsets.length, dim, channels]),
    cotangent: random.normals(outputShape),
  };
  const pairs = offsets.map((offset): Offset2d => (typeof offset === 'number' ? [0, offset] : offset));
  const sizes = { batch, height, width, dim, channels: depthwise ? dim : channels };
  const expected = shiftConvolutionReference(
    { ...sizes, x: given.x.data, theta: given.theta.data, offsets: pairs, boundary, depthwise },
    given.cotangent.data,
  );
  const actual = differentiate(form, given, offsets, boundary);
  const shaped = {
    output: { shape: outputShape, data: expected.output },
    dX: { shape, data: expected.dX },
    dTheta: { shape: given.theta.shape, data: expected.dTheta },
  };
  await assertAgrees(actual, shaped, { relative: form.tolerance });
}
