import { layerNorm, layerNormOperator, rmsNorm, rmsNormOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { normGradientReference, normReference } from '../../../../packages/tensor-ops/src/layer-norm/reference';
import { operatorCase } from '../operator-case';

const sizes = {
  check: { rows: 37, dim: 67 },
  cpu: { rows: 512, dim: 512 },
  gpu: { rows: 16_384, dim: 1024 },
};

export const layerNormCase = operatorCase({
  name: 'layer-norm',
  about: 'layer normalisation of rows, with gain and bias',
  operators: [layerNormOperator],
  sizes,
  repeats: 'rows',
  inputs: ({ rows, dim }, draw) => ({
    x: draw.normals([rows, dim], { mean: 0.5 }),
    gain: draw.normals([dim]),
    bias: draw.normals([dim]),
  }),
  ours: ({ x, gain, bias }) => layerNorm(x, gain, bias),
  reference: ({ x, gain, bias }) => normReference({ x: x.data, gain: gain.data, bias: bias.data, epsilon: 1e-5, centred: true }),
  gradients({ x, gain, bias }, dOutput) {
    const call = { x: x.data, gain: gain.data, bias: bias.data, epsilon: 1e-5, centred: true };
    const { dX, dGain, dBias } = normGradientReference(call, dOutput);
    return { x: dX, gain: dGain, bias: dBias };
  },
  bounds: { both: 4 },
  peers: {
    tfjs({ x, gain, bias }) {
      const { mean, variance } = tf.moments(x, -1, true);
      return tf.add(tf.mul(tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5))), gain), bias);
    },
    torch: 'return F.layer_norm(x, gain.shape, gain, bias, 1e-5)',
    onnx: () => ({ nodes: [['LayerNormalization', ['x', 'gain', 'bias'], ['output'], { axis: -1, epsilon: { float: 1e-5 } }]] }),
    jax: ({ nn }, { x, gain, bias }) => nn.standardize(x, -1, { epsilon: 1e-5 }).mul(gain).add(bias),
  },
});

export const rmsNormCase = operatorCase({
  name: 'rms-norm',
  about: 'RMS normalisation of rows, with gain',
  operators: [rmsNormOperator],
  sizes,
  repeats: 'rows',
  inputs: ({ rows, dim }, draw) => ({ x: draw.normals([rows, dim], { mean: 0.5 }), gain: draw.normals([dim]) }),
  ours: ({ x, gain }) => rmsNorm(x, gain),
  reference: ({ x, gain }) => normReference({ x: x.data, gain: gain.data, epsilon: 1e-6, centred: false }),
  gradients({ x, gain }, dOutput) {
    const { dX, dGain } = normGradientReference({ x: x.data, gain: gain.data, epsilon: 1e-6, centred: false }, dOutput);
    return { x: dX, gain: dGain };
  },
  peers: {
    tfjs: ({ x, gain }) => tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), gain),
    torch: 'return F.rms_norm(x, gain.shape, gain, 1e-6)',
    onnx: () => ({
      nodes: [
        ['Mul', ['x', 'x'], ['square']],
        ['ReduceMean', ['square', 'last'], ['mean']],
        ['Add', ['mean', 'epsilon'], ['shifted']],
        ['Sqrt', ['shifted'], ['root']],
        ['Div', ['x', 'root'], ['normal']],
        ['Mul', ['normal', 'gain'], ['output']],
      ],
      constants: {
        last: { shape: [1], data: BigInt64Array.of(-1n) },
        epsilon: { shape: [], data: Float32Array.of(1e-6) },
      },
    }),
    jax({ numpy: np }, { x, gain }) {
      const root = np.sqrt(np.mean(np.square(x.ref), -1, { keepdims: true }).add(1e-6));
      return x.div(root).mul(gain);
    },
  },
});
