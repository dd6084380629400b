import {
  causalOffsets,
  shiftConvolution,
  shiftConvolution2d,
  shiftConvolution2dOperator,
  shiftConvolutionDepthwise,
  shiftConvolutionDepthwise2d,
  shiftConvolutionDepthwise2dOperator,
  shiftConvolutionDepthwiseOperator,
  shiftConvolutionOperator,
} from '@mixfold/positional-shift';
import * as tf from '@tensorflow/tfjs-core';
import { shiftConvolutionReference } from '../../../../packages/positional-shift/src/shift-convolution/reference';
import type { Input } from '../draw';
import { operatorCase, type Sizes } from '../operator-case';

type Offset2d = [dy: number, dx: number];

/** Itself and its eight neighbours, in the order of the taps of a convolution that keeps the size. */
const around = [1, 0, -1].flatMap((dy) => [1, 0, -1].map((dx): Offset2d => [dy, dx]));

/** The call of the reference at the sizes of a case. */
function callOf({ x, theta }: Record<'x' | 'theta', Input>, sizes: Sizes, offsets: readonly Offset2d[], depthwise: boolean) {
  const { batch, time, dim, channels, height, width } = sizes as Record<string, number>;
  return {
    x: x.data,
    theta: theta.data,
    batch: batch!,
    height: height ?? 1,
    width: width ?? time!,
    dim: dim!,
    channels: depthwise ? dim! : channels!,
    offsets,
    boundary: 'zero' as const,
    depthwise,
  };
}

const back = (terms: number) => causalOffsets(terms).map((offset): Offset2d => [0, offset]);

export const shiftConvolutionCase = operatorCase({
  name: 'shift-convolution',
  about: 'convolution over causal shifts, a matrix for each',
  operators: [shiftConvolutionOperator],
  sizes: {
    check: { batch: 2, time: 67, dim: 33, channels: 29, terms: 5 },
    cpu: { batch: 1, time: 1024, dim: 256, channels: 256, terms: 9 },
    gpu: { batch: 8, time: 1024, dim: 512, channels: 512, terms: 9 },
  },
  repeats: 'batch',
  onlyFull: true,
  inputs: ({ batch, time, dim, channels, terms }, draw) => ({
    x: draw.normals([batch, time, dim]),
    theta: draw.normals([terms, dim, channels]),
  }),
  ours: ({ x, theta }, { terms }) => shiftConvolution(x, theta, { offsets: causalOffsets(terms) }),
  reference: (inputs, sizes) => shiftConvolutionReference(callOf(inputs, sizes, back(sizes.terms), false)).output,
  gradients(inputs, dOutput, sizes) {
    const { dX, dTheta } = shiftConvolutionReference(callOf(inputs, sizes, back(sizes.terms), false), dOutput);
    return { x: dX, theta: dTheta };
  },
  flops({ batch, time, dim, channels, terms }) {
    const forward = 2 * batch * time * dim * channels * terms;
    return { forward, both: 3 * forward };
  },
  peers: {
    tfjs({ x, theta }, { terms }) {
      const padded = tf.pad(x, [
        [0, 0],
        [terms - 1, 0],
        [0, 0],
      ]) as tf.Tensor3D;
      return tf.conv1d(padded, tf.reverse(theta, 0) as tf.Tensor3D, 1, 'valid');
    },
    torch: `
padded = F.pad(x.transpose(1, 2), (terms - 1, 0))
return F.conv1d(padded, theta.flip(0).permute(2, 1, 0)).transpose(1, 2)`,
  },
});

export const shiftConvolution2dCase = operatorCase({
  name: 'shift-convolution-2d',
  about: 'convolution over nine shifts of an image, a matrix for each',
  operators: [shiftConvolution2dOperator],
  sizes: {
    check: { batch: 2, height: 7, width: 9, dim: 17, channels: 13 },
    cpu: { batch: 1, height: 32, width: 32, dim: 128, channels: 128 },
    gpu: { batch: 16, height: 32, width: 32, dim: 256, channels: 256 },
  },
  repeats: 'batch',
  onlyFull: 'both',
  inputs: ({ batch, height, width, dim, channels }, draw) => ({
    x: draw.normals([batch, height, width, dim]),
    theta: draw.normals([9, dim, channels]),
  }),
  ours: ({ x, theta }) => shiftConvolution2d(x, theta, { offsets: around }),
  reference: (inputs, sizes) => shiftConvolutionReference(callOf(inputs, sizes, around, false)).output,
  gradients(inputs, dOutput, sizes) {
    const { dX, dTheta } = shiftConvolutionReference(callOf(inputs, sizes, around, false), dOutput);
    return { x: dX, theta: dTheta };
  },
  flops({ batch, height, width, dim, channels }) {
    const forward = 2 * 9 * batch * height * width * dim * channels;
    return { forward, both: 3 * forward };
  },
  peers: {
    tfjs: ({ x, theta }, { dim, channels }) => tf.conv2d(x, tf.reshape(theta, [3, 3, dim, channels]) as tf.Tensor4D, 1, 'same'),
    torch: `
weight = theta.reshape(3, 3, dim, channels).permute(3, 2, 0, 1)
return F.conv2d(x.permute(0, 3, 1, 2), weight, padding=1).permute(0, 2, 3, 1)`,
  },
});

export const shiftConvolutionDepthwiseCase = operatorCase({
  name: 'shift-convolution-depthwise',
  about: 'convolution over causal shifts, a number per channel for each',
  operators: [shiftConvolutionDepthwiseOperator],
  sizes: {
    check: { batch: 2, time: 67, dim: 33, terms: 5 },
    cpu: { batch: 1, time: 1024, dim: 256, terms: 9 },
    gpu: { batch: 8, time: 2048, dim: 1024, terms: 9 },
  },
  repeats: 'batch',
  inputs: ({ batch, time, dim, terms }, draw) => ({ x: draw.normals([batch, time, dim]), theta: draw.normals([terms, dim]) }),
  ours: ({ x, theta }, { terms }) => shiftConvolutionDepthwise(x, theta, { offsets: causalOffsets(terms) }),
  reference: (inputs, sizes) => shiftConvolutionReference(callOf(inputs, sizes, back(sizes.terms), true)).output,
  gradients(inputs, dOutput, sizes) {
    const { dX, dTheta } = shiftConvolutionReference(callOf(inputs, sizes, back(sizes.terms), true), dOutput);
    return { x: dX, theta: dTheta };
  },
  peers: {
    tfjs({ x, theta }, { batch, time, dim, terms }) {
      const padded = tf.pad(x, [
        [0, 0],
        [terms - 1, 0],
        [0, 0],
      ]);
      const image = tf.reshape<tf.Rank.R4>(padded, [batch, 1, time + terms - 1, dim]);
      const taps = tf.reshape<tf.Rank.R4>(tf.reverse(theta, 0), [1, terms, dim, 1]);
      return tf.reshape(tf.depthwiseConv2d(image, taps, 1, 'valid'), [batch, time, dim]);
    },
    torch: `
padded = F.pad(x.transpose(1, 2), (terms - 1, 0))
return F.conv1d(padded, theta.flip(0).t().unsqueeze(1), groups=dim).transpose(1, 2)`,
  },
});

export const shiftConvolutionDepthwise2dCase = operatorCase({
  name: 'shift-convolution-depthwise-2d',
  about: 'convolution over nine shifts of an image, a number per channel for each',
  operators: [shiftConvolutionDepthwise2dOperator],
  sizes: {
    check: { batch: 2, height: 7, width: 9, dim: 17 },
    cpu: { batch: 1, height: 32, width: 32, dim: 256 },
    gpu: { batch: 16, height: 64, width: 64, dim: 256 },
  },
  repeats: 'batch',
  inputs: ({ batch, height, width, dim }, draw) => ({
    x: draw.normals([batch, height, width, dim]),
    theta: draw.normals([9, dim]),
  }),
  ours: ({ x, theta }) => shiftConvolutionDepthwise2d(x, theta, { offsets: around }),
  reference: (inputs, sizes) => shiftConvolutionReference(callOf(inputs, sizes, around, true)).output,
  gradients(inputs, dOutput, sizes) {
    const { dX, dTheta } = shiftConvolutionReference(callOf(inputs, sizes, around, true), dOutput);
    return { x: dX, theta: dTheta };
  },
  peers: {
    tfjs: ({ x, theta }, { dim }) => tf.depthwiseConv2d(x, tf.reshape(theta, [3, 3, dim, 1]) as tf.Tensor4D, 1, 'same'),
    torch: `
weight = theta.reshape(3, 3, dim).permute(2, 0, 1).unsqueeze(1)
return F.conv2d(x.permute(0, 3, 1, 2), weight, padding=1, groups=dim).permute(0, 2, 3, 1)`,
  },
});
