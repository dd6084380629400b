import { gelu, geluOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { geluReference, geluSlopeReference } from '../../../../packages/tensor-ops/src/gelu/reference';
import { operatorCase } from '../operator-case';

export const geluCase = operatorCase({
  name: 'gelu',
  about: 'GELU, exact',
  operators: [geluOperator],
  sizes: { check: { size: 1031 }, cpu: { size: 262_144 }, gpu: { size: 16_777_216 } },
  repeats: 'size',
  inputs: ({ size }, draw) => ({ x: draw.normals([size], { deviation: 2 }) }),
  ours: ({ x }) => gelu(x),
  reference: ({ x }) => Float64Array.from(x.data, (value) => geluReference(value, 'none')),
  gradients: ({ x }, dOutput) => ({
    x: Float64Array.from(x.data, (value, i) => geluSlopeReference(value, 'none') * dOutput[i]!),
  }),
  peers: {
    tfjs: ({ x }) => tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1)),
    torch: 'return F.gelu(x)',
    onnx: () => ({ nodes: [['Gelu', ['x'], ['output']]] }),
    jax: ({ nn }, { x }) => nn.gelu(x, { approximate: false }),
  },
});
