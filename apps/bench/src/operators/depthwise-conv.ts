import { depthwiseConv1d, depthwiseConv1dOperator, depthwiseConv2d, depthwiseConv2dOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { geometryOf } from '../../../../packages/tensor-ops/src/depthwise-conv/geometry';
import { depthwiseReference } from '../../../../packages/tensor-ops/src/depthwise-conv/reference';
import { operatorCase } from '../operator-case';

export const depthwiseConv1dCase = operatorCase({
  name: 'depthwise-conv-1d',
  about: 'causal depthwise convolution over time',
  operators: [depthwiseConv1dOperator],
  sizes: {
    check: { batch: 2, time: 67, dim: 33, window: 5 },
    cpu: { batch: 1, time: 1024, dim: 256, window: 4 },
    gpu: { batch: 8, time: 2048, dim: 1024, window: 4 },
  },
  repeats: 'batch',
  inputs: ({ batch, time, dim, window }, draw) => ({
    x: draw.normals([batch, time, dim]),
    kernel: draw.normals([window, dim]),
  }),
  ours: ({ x, kernel }) => depthwiseConv1d(x, kernel, { causal: true }),
  reference: ({ x, kernel }, sizes) =>
    depthwiseReference(geometryOf(sizes, { causal: true, dilation: 1 }), x.data, kernel.data).output,
  gradients({ x, kernel }, dOutput, sizes) {
    const geometry = geometryOf(sizes, { causal: true, dilation: 1 });
    const { dX, dKernel } = depthwiseReference(geometry, x.data, kernel.data, dOutput);
    return { x: dX, kernel: dKernel };
  },
  peers: {
    tfjs({ x, kernel }, { batch, time, dim, window }) {
      const padded = tf.pad(x, [
        [0, 0],
        [window - 1, 0],
        [0, 0],
      ]);
      const image = tf.reshape<tf.Rank.R4>(padded, [batch, 1, time + window - 1, dim]);
      const taps = tf.reshape<tf.Rank.R4>(kernel, [1, window, dim, 1]);
      return tf.reshape(tf.depthwiseConv2d(image, taps, 1, 'valid'), [batch, time, dim]);
    },
    torch: `
padded = F.pad(x.transpose(1, 2), (window - 1, 0))
return F.conv1d(padded, kernel.t().unsqueeze(1), groups=dim).transpose(1, 2)`,
  },
});

export const depthwiseConv2dCase = operatorCase({
  name: 'depthwise-conv-2d',
  about: 'depthwise convolution over an image',
  operators: [depthwiseConv2dOperator],
  sizes: {
    check: { batch: 2, height: 11, width: 7, dim: 13, windowHeight: 3, windowWidth: 5 },
    cpu: { batch: 1, height: 32, width: 32, dim: 256, windowHeight: 3, windowWidth: 3 },
    gpu: { batch: 16, height: 64, width: 64, dim: 256, windowHeight: 7, windowWidth: 7 },
  },
  repeats: 'batch',
  inputs: ({ batch, height, width, dim, windowHeight, windowWidth }, draw) => ({
    x: draw.normals([batch, height, width, dim]),
    kernel: draw.normals([windowHeight, windowWidth, dim]),
  }),
  ours: ({ x, kernel }) => depthwiseConv2d(x, kernel),
  reference: ({ x, kernel }, sizes) => depthwiseReference(geometryOf(sizes, { dilation: 1 }), x.data, kernel.data).output,
  gradients({ x, kernel }, dOutput, sizes) {
    const { dX, dKernel } = depthwiseReference(geometryOf(sizes, { dilation: 1 }), x.data, kernel.data, dOutput);
    return { x: dX, kernel: dKernel };
  },
  peers: {
    tfjs: ({ x, kernel }) => tf.depthwiseConv2d(x, tf.expandDims(kernel, 3) as tf.Tensor4D, 1, 'same'),
    torch: `
image = x.permute(0, 3, 1, 2)
output = F.conv2d(image, kernel.permute(2, 0, 1).unsqueeze(1), padding=(windowHeight // 2, windowWidth // 2), groups=dim)
return output.permute(0, 2, 3, 1)`,
  },
});
