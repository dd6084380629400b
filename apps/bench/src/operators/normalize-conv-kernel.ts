import { normalizeConvKernel, normalizeConvKernelOperator } from '@mixfold/aft';
import * as tf from '@tensorflow/tfjs-core';
import { normalizeConvKernelReference } from '../../../../packages/aft/src/normalize-conv-kernel/reference';
import { normGradientReference } from '../../../../packages/tensor-ops/src/layer-norm/reference';
import { operatorCase } from '../operator-case';

const epsilon = 1e-6;

export const normalizeConvKernelCase = operatorCase({
  name: 'normalize-conv-kernel',
  about: 'the kernel of AFT-conv normalised over its taps',
  operators: [normalizeConvKernelOperator],
  sizes: {
    check: { heads: 37, windowHeight: 3, windowWidth: 5 },
    cpu: { heads: 384, windowHeight: 11, windowWidth: 11 },
    gpu: { heads: 1024, windowHeight: 11, windowWidth: 11 },
  },
  repeats: 'heads',
  inputs: ({ heads, windowHeight, windowWidth }, draw) => ({
    kernel: draw.normals([heads, windowHeight, windowWidth]),
    gain: draw.normals([heads]),
    bias: draw.normals([heads]),
  }),
  ours: ({ kernel, gain, bias }) => normalizeConvKernel(kernel, gain, bias),
  reference: ({ kernel, gain, bias }, { heads, windowHeight, windowWidth }) =>
    normalizeConvKernelReference(
      { heads, taps: windowHeight * windowWidth, epsilon },
      { kernel: kernel.data, gain: gain.data, bias: bias.data },
    ),
  /** A head is a row of layer normalisation with one gain: it goes to what arrives. */
  gradients({ kernel, gain }, dOutput, { heads, windowHeight, windowWidth }) {
    const taps = windowHeight * windowWidth;
    const [ones, zeros] = [new Float64Array(taps).fill(1), new Float64Array(taps)];
    const scaled = Float64Array.from(dOutput, (x, i) => x * gain.data[Math.floor(i / taps)]!);
    const { dX } = normGradientReference({ x: kernel.data, gain: ones, bias: zeros, epsilon, centred: true }, scaled);
    const unscaled = normalizeConvKernelReference(
      { heads, taps, epsilon },
      { kernel: kernel.data, gain: new Float64Array(heads).fill(1), bias: new Float64Array(heads) },
    );
    const [dGain, dBias] = [new Float64Array(heads), new Float64Array(heads)];
    dOutput.forEach((x, i) => {
      dGain[Math.floor(i / taps)]! += x * unscaled[i]!;
      dBias[Math.floor(i / taps)]! += x;
    });
    return { kernel: dX, gain: dGain, bias: dBias };
  },
  peers: {
    tfjs({ kernel, gain, bias }, { heads }) {
      const { mean, variance } = tf.moments(kernel, [1, 2], true);
      const perHead = (x: tf.Tensor) => tf.reshape(x, [heads, 1, 1]);
      const normal = tf.mul(tf.sub(kernel, mean), tf.rsqrt(tf.add(variance, epsilon)));
      return tf.add(tf.mul(normal, perHead(gain)), perHead(bias));
    },
    torch: `
variance, mean = torch.var_mean(kernel, (1, 2), correction=0, keepdim=True)
return (kernel - mean) * torch.rsqrt(variance + ${epsilon}) * gain[:, None, None] + bias[:, None, None]`,
  },
});
