import { cumulativeSum, cumulativeSumOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { cumulativeSumReference } from '../../../../packages/tensor-ops/src/cumulative-sum/reference';
import { operatorCase } from '../operator-case';

export const cumulativeSumCase = operatorCase({
  name: 'cumulative-sum',
  about: 'running sums over time, the middle axis',
  operators: [cumulativeSumOperator],
  sizes: {
    check: { batch: 2, time: 131, dim: 33 },
    cpu: { batch: 1, time: 1024, dim: 256 },
    gpu: { batch: 8, time: 2048, dim: 1024 },
  },
  repeats: 'batch',
  inputs: ({ batch, time, dim }, draw) => ({ x: draw.normals([batch, time, dim]) }),
  ours: ({ x }) => cumulativeSum(x, 1),
  reference: ({ x }, { batch, time, dim }) => cumulativeSumReference({ outer: batch, time, inner: dim }, x.data),
  gradients: (_, dOutput, { batch, time, dim }) => ({
    x: cumulativeSumReference({ outer: batch, time, inner: dim, reverse: true }, dOutput),
  }),
  // tfjs's own gradient is wrong on this axis, so a user has to bring the axis last.
  peers: {
    tfjs: ({ x }) => tf.transpose(tf.cumsum(tf.transpose(x, [0, 2, 1]), 2), [0, 2, 1]),
    torch: 'return torch.cumsum(x, 1)',
    onnx: () => ({
      nodes: [['CumSum', ['x', 'axis'], ['output']]],
      constants: { axis: { shape: [], data: BigInt64Array.of(1n) } },
    }),
    jax: ({ numpy: np }, { x }) => np.cumsum(x, 1),
  },
});
