import * as tf from '@tensorflow/tfjs-core';

/** Where the bias of AFT-local counts: 1 within the window, `[time, time]`, 0 elsewhere. */
export function windowMask(time: number, windowSize: number): tf.Tensor2D {
  return tf.tidy(() => {
    const steps = tf.range(0, time);
    const distance = tf.abs(tf.sub(tf.reshape(steps, [time, 1]), tf.reshape(steps, [1, time])));
    return tf.cast(tf.less(distance, windowSize), 'float32') as tf.Tensor2D;
  });
}

/**
 * AFT-local as a tfjs user writes it: the bias is made 0 outside the window, and numerator and denominator are one product of matrices each. The largest key
 * and the largest bias of a row are taken off, so that exp does not overflow.
 */
export function stockAftLocal(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, table: tf.Tensor, mask: tf.Tensor): tf.Tensor {
  const bias = tf.mul(table, mask);
  const weight = tf.exp(tf.sub(bias, tf.max(bias, 1, true)));
  const keys = tf.exp(tf.sub(key, tf.max(key, 1, true)));
  const [time, dim] = key.shape.slice(1) as [number, number];
  const flat = (x: tf.Tensor) => tf.reshape(x, [time, dim]);
  const mixed = tf.div(tf.matMul(weight, flat(tf.mul(keys, value))), tf.matMul(weight, flat(keys)));
  return tf.mul(tf.sigmoid(query), tf.reshape(mixed, [1, time, dim]));
}

/** The same without a product: a loop over the columns of the band, for the sources that each reaches, and the sums of all sources for the rest. */
export function stockBandedAftLocal(query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, band: tf.Tensor): tf.Tensor {
  const [time, width] = band.shape as [number, number];
  const reach = (width - 1) / 2;
  const keys = tf.exp(tf.sub(key, tf.max(key, 1, true)));
  const values = tf.mul(keys, value);
  const excess = tf.sub(tf.exp(band), 1);
  const around: [number, number][] = [
    [0, 0],
    [reach, reach],
    [0, 0],
  ];
  const [paddedKeys, paddedValues] = [tf.pad(keys, around), tf.pad(values, around)];
  let numerator = tf.sum(values, 1, true);
  let denominator = tf.sum(keys, 1, true);
  for (let r = 0; r < width; r++) {
    const more = tf.reshape(tf.slice(excess, [0, r], [time, 1]), [1, time, 1]);
    numerator = tf.add(numerator, tf.mul(more, tf.slice(paddedValues, [0, r, 0], [1, time, -1])));
    denominator = tf.add(denominator, tf.mul(more, tf.slice(paddedKeys, [0, r, 0], [1, time, -1])));
  }
  return tf.mul(tf.sigmoid(query), tf.div(numerator, denominator));
}
