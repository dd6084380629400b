import * as tf from '@tensorflow/tfjs-core';

/** AFT-full of one batch entry, `[time, dim]`, as a tfjs user writes it: two products, with the largest bias of a row and the largest key of a channel taken off. */
export function stockAftFull(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, positionBias: tf.Tensor): tf.Tensor {
  const pairs = tf.exp(tf.sub(positionBias, tf.max(positionBias, 1, true)));
  const weight = tf.exp(tf.sub(key, tf.max(key, 0, true)));
  const numerator = tf.matMul(pairs as tf.Tensor2D, tf.mul(weight, value) as tf.Tensor2D);
  const denominator = tf.matMul(pairs as tf.Tensor2D, weight as tf.Tensor2D);
  return tf.mul(tf.sigmoid(query), tf.div(numerator, denominator));
}
