import { SeededRandom } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';

/** A layer's task: inputs, and what to predict from them. */
export interface Task {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor;
}

/** The mean of the first feature up to the target: no layer without mixing over time can solve it. */
export function meanSoFar(samples: number): Task {
  const random = new SeededRandom(5).normals([samples, 6, 4]);
  const x = tf.tensor3d(Float32Array.from(random.data), [samples, 6, 4]);
  const y = tf.tidy(() => {
    const steps = tf.reshape(tf.range(1, 7), [1, 6, 1]);
    const first = tf.transpose(tf.slice(x, [0, 0, 0], [-1, -1, 1]), [0, 2, 1]);
    return tf.div(tf.transpose(tf.cumsum(first, 2), [0, 2, 1]), steps);
  });
  return { x, y };
}

/** The mean of the first feature over a grid, at each of its points. */
export function meanOfGrid(samples: number, [height, width]: [number, number] = [3, 4]): Task {
  const random = new SeededRandom(6).normals([samples, height, width, 4]);
  const x = tf.tensor4d(Float32Array.from(random.data), [samples, height, width, 4]);
  const y = tf.tidy(() => {
    const mean = tf.mean(tf.slice(x, [0, 0, 0, 0], [-1, -1, -1, 1]), [1, 2], true);
    return tf.tile(mean, [1, height, width, 1]);
  });
  return { x, y };
}

/** A mixing layer, then a dense one. */
export function modelOf(layer: tfl.layers.Layer): tfl.Sequential {
  const kernelInitializer = tfl.initializers.glorotNormal({ seed: 4 });
  return tfl.sequential({ layers: [layer, tfl.layers.dense({ units: 1, kernelInitializer })] });
}
