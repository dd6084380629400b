import * as tf from '@tensorflow/tfjs-core';

// A post-LN transformer layer as a tfjs user writes it: plain ops, tf.Variable, tf.train.adam. It is what is timed, so nothing here is ours.

export const layerSizes = { dim: 128, heads: 4, hidden: 512, time: 64, batch: 8 } as const;
const { dim, heads, hidden, time, batch } = layerSizes;

const shapes = {
  query: [dim, dim],
  key: [dim, dim],
  value: [dim, dim],
  output: [dim, dim],
  outputBias: [dim],
  gain1: [dim],
  shift1: [dim],
  up: [dim, hidden],
  upBias: [hidden],
  down: [hidden, dim],
  downBias: [dim],
  gain2: [dim],
  shift2: [dim],
} as const satisfies Record<string, readonly number[]>;

export type LayerWeights = Record<keyof typeof shapes, tf.Variable>;

/** In the order of `layerWeights`. */
export const weightNames = Object.keys(shapes) as (keyof LayerWeights)[];

/** The same numbers each time; gains 1, biases 0. */
export function layerWeights(): LayerWeights {
  const weights = Object.entries(shapes).map(([name, shape], i) => {
    const initial = name.startsWith('gain')
      ? tf.ones([...shape])
      : shape.length === 1
        ? tf.zeros([...shape])
        : tf.randomNormal([...shape], 0, 1 / Math.sqrt(shape[0]), 'float32', i + 10);
    const variable = tf.variable(initial);
    initial.dispose();
    return [name, variable];
  });
  return Object.fromEntries(weights);
}

function dense(x: tf.Tensor, weight: tf.Tensor, bias?: tf.Tensor): tf.Tensor {
  const [inputs, outputs] = weight.shape as [number, number];
  const flat = tf.matMul(tf.reshape(x, [-1, inputs]), weight);
  return tf.reshape(bias ? tf.add(flat, bias) : flat, [...x.shape.slice(0, -1), outputs]);
}

function layerNorm(x: tf.Tensor, gain: tf.Tensor, shift: tf.Tensor): tf.Tensor {
  const centered = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centered), -1, true);
  return tf.add(tf.mul(tf.div(centered, tf.sqrt(tf.add(variance, 1e-5))), gain), shift);
}

function splitHeads(x: tf.Tensor): tf.Tensor {
  return tf.transpose(tf.reshape(x, [batch, time, heads, dim / heads]), [0, 2, 1, 3]);
}

/** x: `[batch, time, dim]`. */
export function transformerLayer(x: tf.Tensor, w: LayerWeights): tf.Tensor {
  const [query, key, value] = [w.query, w.key, w.value].map((weight) => splitHeads(dense(x, weight))) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  const scores = tf.mul(tf.matMul(query, key, false, true), 1 / Math.sqrt(dim / heads));
  const mixed = tf.reshape(tf.transpose(tf.matMul(tf.softmax(scores), value), [0, 2, 1, 3]), [batch, time, dim]);
  const attended = layerNorm(tf.add(x, dense(mixed, w.output, w.outputBias)), w.gain1, w.shift1);
  const expanded = tf.relu(dense(attended, w.up, w.upBias));
  return layerNorm(tf.add(attended, dense(expanded, w.down, w.downBias)), w.gain2, w.shift2);
}
