import * as tf from '@tensorflow/tfjs-core';

/** AFT-simple as a tfjs user writes it: the largest key is taken off, so that exp does not overflow. */
export function stockAftSimple(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor): tf.Tensor {
  const weight = tf.exp(tf.sub(key, tf.max(key, 1, true)));
  const mixed = tf.div(tf.sum(tf.mul(weight, value), 1, true), tf.sum(weight, 1, true));
  return tf.mul(tf.sigmoid(query), mixed);
}

/** The causal form by running sums. Time goes last and back, for tfjs's gradient of cumsum is right on the last axis alone. */
export function stockCausalAftSimple(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor): tf.Tensor {
  const byChannel = tf.transpose(key, [0, 2, 1]);
  const weight = tf.exp(tf.sub(byChannel, tf.max(byChannel, 2, true)));
  const weighted = tf.mul(weight, tf.transpose(value, [0, 2, 1]));
  const mixed = tf.div(tf.cumsum(weighted, 2), tf.cumsum(weight, 2));
  return tf.mul(tf.sigmoid(query), tf.transpose(mixed, [0, 2, 1]));
}
