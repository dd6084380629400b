import { rotaryEmbedding, rotaryEmbeddingOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { rotaryReference } from '../../../../packages/tensor-ops/src/rotary-embedding/reference';
import { operatorCase } from '../operator-case';
import type { JaxArray } from '../peers/jax';

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
    onnx: ({ time, headDim }) => ({
      nodes: [
        ['Split', ['x'], ['first', 'second'], { axis: -1, num_outputs: 2 }],
        ['Mul', ['first', 'cos'], ['firstCos']],
        ['Mul', ['first', 'sin'], ['firstSin']],
        ['Mul', ['second', 'cos'], ['secondCos']],
        ['Mul', ['second', 'sin'], ['secondSin']],
        ['Sub', ['firstCos', 'secondSin'], ['left']],
        ['Add', ['firstSin', 'secondCos'], ['right']],
        ['Concat', ['left', 'right'], ['output'], { axis: -1 }],
      ],
      constants: {
        cos: { shape: [time, headDim / 2], data: angles(time, headDim).map(Math.cos) },
        sin: { shape: [time, headDim / 2], data: angles(time, headDim).map(Math.sin) },
      },
    }),
    jax({ numpy: np }, { x }, { time, headDim }) {
      const table = np.array(angles(time, headDim) as Float32Array<ArrayBuffer>).reshape([time, headDim / 2]);
      const [cos, sin] = [np.cos(table.ref), np.sin(table)];
      const [first, second] = np.split(x, 2, -1) as [JaxArray, JaxArray];
      const left = first.ref.mul(cos.ref).sub(second.ref.mul(sin.ref));
      return np.concatenate([left, first.mul(sin).add(second.mul(cos))], -1);
    },
    torch: `
frequency = 10000 ** (-torch.arange(headDim // 2, device=x.device) / (headDim // 2))
angle = torch.arange(time, device=x.device)[:, None] * frequency
first, second = x.chunk(2, -1)
return torch.cat([first * angle.cos() - second * angle.sin(), first * angle.sin() + second * angle.cos()], -1)`,
  },
});
