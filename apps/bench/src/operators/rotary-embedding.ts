import { rotaryEmbedding, rotaryEmbeddingOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { rotaryReference } from '../../../../packages/tensor-ops/src/rotary-embedding/reference';
import { operatorCase } from '../operator-case';

/** Angles of `[time, headDim / 2]`. */
function angles(time: number, headDim: number): Float32Array {
  const half = headDim / 2;
  return Float32Array.from({ length: time * half }, (_, i) => Math.floor(i / half) / 10_000 ** ((i % half) / half));
}

export const rotaryEmbeddingCase = operatorCase({
  name: 'rotary-embedding',
  about: 'rotary positions, halves of a head paired',
  operators: [rotaryEmbeddingOperator],
  sizes: {
    check: { batch: 2, heads: 3, time: 37, headDim: 10 },
    cpu: { batch: 1, heads: 4, time: 1024, headDim: 64 },
    gpu: { batch: 8, heads: 16, time: 2048, headDim: 64 },
  },
  repeats: 'batch',
  inputs: ({ batch, heads, time, headDim }, draw) => ({ x: draw.normals([batch, heads, time, headDim]) }),
  ours: ({ x }) => rotaryEmbedding(x, { pairing: 'halves' }),
  reference: ({ x }) => rotaryReference({ shape: x.shape, pairing: 'halves' }, x.data),
  gradients: ({ x }, dOutput) => ({ x: rotaryReference({ shape: x.shape, pairing: 'halves' }, dOutput, -1) }),
  peers: {
    tfjs({ x }, { time, headDim }) {
      const table = tf.tensor(angles(time, headDim), [time, headDim / 2]);
      const [cos, sin] = [tf.cos(table), tf.sin(table)];
      const [first, second] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
      return tf.concat([tf.sub(tf.mul(first, cos), tf.mul(second, sin)), tf.add(tf.mul(first, sin), tf.mul(second, cos))], -1);
    },
    torch: `
frequency = 10000 ** (-torch.arange(headDim // 2, device=x.device) / (headDim // 2))
angle = torch.arange(time, device=x.device)[:, None] * frequency
first, second = x.chunk(2, -1)
return torch.cat([first * angle.cos() - second * angle.sin(), first * angle.sin() + second * angle.cos()], -1)`,
  },
});
