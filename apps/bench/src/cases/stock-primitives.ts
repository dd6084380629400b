import * as tf from '@tensorflow/tfjs-core';

// Primitives as a user of tfjs writes them.

export function geluTanh(x: tf.Tensor): tf.Tensor {
  const inner = tf.mul(tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x)))), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(inner)));
}

export function depthwiseConv1d(x: tf.Tensor3D, kernel: tf.Tensor2D): tf.Tensor {
  const [batch, time, dim] = x.shape;
  const [window] = kernel.shape;
  const image = tf.reshape(x, [batch, 1, time, dim]) as tf.Tensor4D;
  const filter = tf.reshape(kernel, [1, window, dim, 1]) as tf.Tensor4D;
  return tf.tidy(() => tf.reshape(tf.depthwiseConv2d(image, filter, 1, 'same'), x.shape));
}
