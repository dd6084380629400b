import * as tf from '@tensorflow/tfjs-core';

// The primitives as a user of tfjs writes them.

export function layerNorm(x: tf.Tensor, gain: tf.Tensor, bias: tf.Tensor): tf.Tensor {
  const centered = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centered), -1, true);
  return tf.add(tf.mul(tf.mul(centered, tf.rsqrt(tf.add(variance, 1e-5))), gain), bias);
}

export function rmsNorm(x: tf.Tensor, gain: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-6))), gain);
}

export function gelu(x: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.erf(tf.mul(x, Math.SQRT1_2))));
}

export function geluTanh(x: tf.Tensor): tf.Tensor {
  const inner = tf.mul(tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x)))), Math.sqrt(2 / Math.PI));
  return tf.mul(tf.mul(x, 0.5), tf.add(1, tf.tanh(inner)));
}

/** `targets` are the labels one-hot, made before. */
export function softmaxCrossEntropy(logits: tf.Tensor, targets: tf.Tensor): tf.Tensor {
  return tf.neg(tf.mean(tf.sum(tf.mul(targets, tf.logSoftmax(logits)), -1)));
}

export function depthwiseConv1d(x: tf.Tensor3D, kernel: tf.Tensor2D): tf.Tensor {
  const [batch, time, dim] = x.shape;
  const [window] = kernel.shape;
  const image = tf.reshape(x, [batch, 1, time, dim]) as tf.Tensor4D;
  const filter = tf.reshape(kernel, [1, window, dim, 1]) as tf.Tensor4D;
  return tf.reshape(tf.depthwiseConv2d(image, filter, 1, 'same'), x.shape);
}

export function depthwiseConv2d(x: tf.Tensor4D, kernel: tf.Tensor3D): tf.Tensor {
  return tf.depthwiseConv2d(x, tf.expandDims(kernel, 3) as tf.Tensor4D, 1, 'same');
}

/** Cosine and sine per position and pair. */
export function rotaryTables(time: number, dim: number): [cosine: tf.Tensor, sine: tf.Tensor] {
  const angle = (i: number) => Math.floor(i / (dim / 2)) / 10_000 ** ((2 * (i % (dim / 2))) / dim);
  const table = (f: (angle: number) => number) =>
    tf.tensor2d(
      Float32Array.from({ length: (time * dim) / 2 }, (_, i) => f(angle(i))),
      [time, dim / 2],
    );
  return [table(Math.cos), table(Math.sin)];
}

export function rotaryEmbedding(x: tf.Tensor, cosine: tf.Tensor, sine: tf.Tensor): tf.Tensor {
  const [low, high] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
  return tf.concat([tf.sub(tf.mul(low, cosine), tf.mul(high, sine)), tf.add(tf.mul(low, sine), tf.mul(high, cosine))], -1);
}
