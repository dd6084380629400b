import { logSumExp, logSumExpOperator, softmax, softmaxOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import {
  logSumExpReference,
  softmaxGradientReference,
  softmaxReference,
} from '../../../../packages/tensor-ops/src/softmax/reference';
import { operatorCase } from '../operator-case';

const sizes = {
  check: { rows: 37, classes: 67 },
  cpu: { rows: 512, classes: 512 },
  gpu: { rows: 16_384, classes: 1024 },
};

export const softmaxCase = operatorCase({
  name: 'softmax',
  about: 'softmax of rows',
  operators: [softmaxOperator],
  sizes,
  repeats: 'rows',
  inputs: ({ rows, classes }, draw) => ({ x: draw.normals([rows, classes], { deviation: 3 }) }),
  ours: ({ x }) => softmax(x),
  reference: ({ x }) => softmaxReference(x.data, x.shape, -1),
  gradients: ({ x }, dOutput) => ({
    x: softmaxGradientReference(softmaxReference(x.data, x.shape, -1), x.shape, -1, dOutput),
  }),
  peers: {
    tfjs: ({ x }) => tf.softmax(x),
    torch: 'return torch.softmax(x, -1)',
    onnx: () => ({ nodes: [['Softmax', ['x'], ['output'], { axis: -1 }]] }),
    jax: ({ nn }, { x }) => nn.softmax(x, -1),
  },
});

export const maskedSoftmaxCase = operatorCase({
  name: 'softmax-masked',
  about: 'softmax of rows under a mask of their shape',
  operators: [softmaxOperator],
  sizes,
  repeats: 'rows',
  inputs: ({ rows, classes }, draw) => ({
    x: draw.normals([rows, classes], { deviation: 3 }),
    mask: draw.mask([rows, classes]),
  }),
  ours: ({ x, mask }) => softmax(x, -1, { mask }),
  reference: ({ x, mask }) => softmaxReference(x.data, x.shape, -1, mask.data),
  gradients: ({ x, mask }, dOutput) => ({
    x: softmaxGradientReference(softmaxReference(x.data, x.shape, -1, mask.data), x.shape, -1, dOutput),
  }),
  peers: {
    tfjs: ({ x, mask }) => tf.softmax(tf.where(tf.cast(mask, 'bool'), x, tf.fill(x.shape, -1e30))),
    torch: "return torch.softmax(x.masked_fill(mask == 0, float('-inf')), -1)",
    onnx: () => ({
      nodes: [
        ['Cast', ['mask'], ['seen'], { to: 9 }],
        ['Where', ['seen', 'x', 'never'], ['masked']],
        ['Softmax', ['masked'], ['output'], { axis: -1 }],
      ],
      constants: { never: { shape: [], data: Float32Array.of(Number.NEGATIVE_INFINITY) } },
    }),
    jax: ({ nn, numpy: np }, { x, mask }) => nn.softmax(np.where(mask.greater(0), x, -1e30), -1),
  },
});

export const logSumExpCase = operatorCase({
  name: 'log-sum-exp',
  about: 'ln of the sum of exponentials of rows',
  operators: [logSumExpOperator],
  sizes,
  repeats: 'rows',
  inputs: ({ rows, classes }, draw) => ({ x: draw.normals([rows, classes], { deviation: 3 }) }),
  ours: ({ x }) => logSumExp(x),
  reference: ({ x }) => logSumExpReference(x.data, x.shape, -1),
  gradients({ x }, dOutput) {
    const classes = x.shape.at(-1)!;
    const weights = softmaxReference(x.data, x.shape, -1);
    return { x: weights.map((weight, i) => weight * dOutput[Math.floor(i / classes)]!) };
  },
  peers: {
    tfjs: ({ x }) => tf.logSumExp(x, -1),
    torch: 'return torch.logsumexp(x, -1)',
    onnx: () => ({
      nodes: [['ReduceLogSumExp', ['x', 'last'], ['output'], { keepdims: 0 }]],
      constants: { last: { shape: [1], data: BigInt64Array.of(-1n) } },
    }),
    jax: ({ nn }, { x }) => nn.logsumexp(x, -1),
  },
});
