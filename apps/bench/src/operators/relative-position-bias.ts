import { relativePositionBias, relativePositionBiasOperator } from '@mixfold/positional-shift';
import * as tf from '@tensorflow/tfjs-core';
import { operatorCase } from '../operator-case';

/** Calls `visit` with the flat places of every pair and of its offset. */
function forEachPair(heads: number, length: number, visit: (pair: number, offset: number) => void): void {
  for (let h = 0; h < heads; h++) {
    for (let t = 0; t < length; t++) {
      for (let s = 0; s < length; s++) visit((h * length + t) * length + s, h * (2 * length - 1) + t - s + length - 1);
    }
  }
}

export const relativePositionBiasCase = operatorCase({
  name: 'relative-position-bias',
  about: 'a bias per head and offset as one per pair',
  operators: [relativePositionBiasOperator],
  sizes: {
    check: { heads: 3, length: 67 },
    cpu: { heads: 8, length: 1024 },
    gpu: { heads: 16, length: 2048 },
  },
  repeats: 'heads',
  onlyFull: true,
  inputs: ({ heads, length }, draw) => ({ values: draw.normals([heads, 2 * length - 1]) }),
  ours: ({ values }, { length }) => relativePositionBias(values, length),
  reference({ values }, { heads, length }) {
    const bias = new Float64Array(heads * length * length);
    forEachPair(heads, length, (pair, offset) => {
      bias[pair] = values.data[offset]!;
    });
    return bias;
  },
  gradients({ values }, dOutput, { heads, length }) {
    const dValues = new Float64Array(values.data.length);
    forEachPair(heads, length, (pair, offset) => {
      dValues[offset]! += dOutput[pair]!;
    });
    return { values: dValues };
  },
  peers: {
    /** By a gather, as it is usually written. */
    tfjs({ values }, { length }) {
      const places = tf.range(0, length, 1, 'int32');
      const offsets = tf.add(tf.sub(tf.expandDims(places, 1), tf.expandDims(places, 0)), length - 1);
      return tf.gather(values, tf.cast(offsets, 'int32'), 1);
    },
    torch: `
places = torch.arange(length, device=values.device)
return values[:, places[:, None] - places[None, :] + length - 1]`,
  },
});
