import * as tf from '@tensorflow/tfjs-core';

/**
 * AFT with a bias `[time, time]` as a tfjs user writes it for a batch: numerator and denominator are one product of matrices each, with all sequences side by
 * side. The largest bias of a row and the largest key are taken off, so that exp does not overflow.
 */
export function stockAftByProducts(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, positionBias: tf.Tensor): tf.Tensor {
  const [batch, time, dim] = query.shape as [number, number, number];
  const columns = (x: tf.Tensor) => tf.reshape(tf.transpose(x, [1, 0, 2]), [time, batch * dim]) as tf.Tensor2D;
  const pairs = tf.exp(tf.sub(positionBias, tf.max(positionBias, 1, true))) as tf.Tensor2D;
  const weight = tf.exp(tf.sub(key, tf.max(key, 1, true)));
  const mixed = tf.div(tf.matMul(pairs, columns(tf.mul(weight, value))), tf.matMul(pairs, columns(weight)));
  return tf.mul(tf.sigmoid(query), tf.transpose(tf.reshape(mixed, [time, batch, dim]), [1, 0, 2]));
}
