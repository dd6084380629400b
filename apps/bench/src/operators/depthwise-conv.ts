import { depthwiseConv1d, depthwiseConv1dOperator, depthwiseConv2d, depthwiseConv2dOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { geometryOf } from '../../../../packages/tensor-ops/src/depthwise-conv/geometry';
import { depthwiseReference } from '../../../../packages/tensor-ops/src/depthwise-conv/reference';
import { operatorCase } from '../operator-case';

/** Zeros before and after, of height and width, that keep the output as large as the input. */
function pads(windowHeight: number, windowWidth: number): number[][] {
  const windows = [windowHeight, windowWidth];
  return [windows.map((window) => Math.floor((window - 1) / 2)), windows.map((window) => Math.ceil((window - 1) / 2))];
}

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
    onnx: ({ dim, window }) => ({
      nodes: [
        ['Transpose', ['x'], ['byChannel'], { perm: [0, 2, 1] }],
        ['Transpose', ['kernel'], ['taps'], { perm: [1, 0] }],
        ['Unsqueeze', ['taps', 'middle'], ['weight']],
        ['Conv', ['byChannel', 'weight'], ['mixed'], { group: dim, pads: [window - 1, 0] }],
        ['Transpose', ['mixed'], ['output'], { perm: [0, 2, 1] }],
      ],
      constants: { middle: { shape: [1], data: BigInt64Array.of(1n) } },
    }),
    jax({ lax, numpy: np }, { x, kernel }, { dim, window }) {
      const weight = np.expandDims(np.transpose(kernel), 1);
      const options = { featureGroupCount: dim };
      const mixed = lax.convGeneralDilated(np.transpose(x, [0, 2, 1]), weight, [1], [[window - 1, 0]], options);
      return np.transpose(mixed, [0, 2, 1]);
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
    onnx: ({ dim, windowHeight, windowWidth }) => ({
      nodes: [
        ['Transpose', ['x'], ['byChannel'], { perm: [0, 3, 1, 2] }],
        ['Transpose', ['kernel'], ['taps'], { perm: [2, 0, 1] }],
        ['Unsqueeze', ['taps', 'middle'], ['weight']],
        ['Conv', ['byChannel', 'weight'], ['mixed'], { group: dim, pads: pads(windowHeight, windowWidth).flat() }],
        ['Transpose', ['mixed'], ['output'], { perm: [0, 2, 3, 1] }],
      ],
      constants: { middle: { shape: [1], data: BigInt64Array.of(1n) } },
    }),
    jax({ lax, numpy: np }, { x, kernel }, { dim, windowHeight, windowWidth }) {
      const weight = np.expandDims(np.transpose(kernel, [2, 0, 1]), 1);
      const [before, after] = pads(windowHeight, windowWidth) as [[number, number], [number, number]];
      const padding: [number, number][] = [
        [before[0], after[0]],
        [before[1], after[1]],
      ];
      const mixed = lax.convGeneralDilated(np.transpose(x, [0, 3, 1, 2]), weight, [1, 1], padding, { featureGroupCount: dim });
      return np.transpose(mixed, [0, 2, 3, 1]);
    },
    torch: `
image = x.permute(0, 3, 1, 2)
output = F.conv2d(image, kernel.permute(2, 0, 1).unsqueeze(1), padding=(windowHeight // 2, windowWidth // 2), groups=dim)
return output.permute(0, 2, 3, 1)`,
  },
});
