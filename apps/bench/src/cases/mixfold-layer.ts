import { layerNorm, matMul, softmax } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { type LayerWeights, layerSizes } from './transformer-layer';

const { batch, time, dim, heads } = layerSizes;

/** The layer of `transformerLayer` as a user of `@mixfold/tensor-ops` writes it: weights multiply stacks as they are, softmax scales, norms are one call. */
export function mixfoldLayer(x: tf.Tensor, w: Record<keyof LayerWeights, tf.Tensor>): tf.Tensor {
  const split = (rows: tf.Tensor) => tf.transpose(tf.reshape(rows, [batch, time, heads, dim / heads]), [0, 2, 1, 3]);
  const [query, key, value] = [w.query, w.key, w.value].map((weight) => split(matMul(x, weight))) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const scores = matMul(tf.mul(query, 1 / Math.sqrt(dim / heads)), key, { transposeB: true });
  const mixed = tf.reshape(tf.transpose(matMul(softmax(scores), value), [0, 2, 1, 3]), [batch, time, dim]);
  const norm = (rows: tf.Tensor, gain: tf.Tensor, shift: tf.Tensor) => layerNorm(rows, gain as tf.Tensor1D, shift as tf.Tensor1D);
  const attended = norm(tf.add(x, tf.add(matMul(mixed, w.output), w.outputBias)), w.gain1, w.shift1);
  const expanded = tf.relu(tf.add(matMul(attended, w.up), w.upBias));
  return norm(tf.add(attended, tf.add(matMul(expanded, w.down), w.downBias)), w.gain2, w.shift2);
}
