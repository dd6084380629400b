import { ista, istaOperator } from '@mixfold/subspace-attention';
import * as tf from '@tensorflow/tfjs-core';
import { istaGradientReference, istaReference } from '../../../../packages/subspace-attention/src/ista/reference';
import { operatorCase } from '../operator-case';

const [stepSize, threshold] = [0.1, 0.1];

export const istaCase = operatorCase({
  name: 'ista',
  about: "CRATE's sparse half of a layer",
  operators: [istaOperator],
  sizes: {
    check: { batch: 2, tokens: 37, dim: 33 },
    cpu: { batch: 2, tokens: 256, dim: 256 },
    gpu: { batch: 16, tokens: 197, dim: 768 },
  },
  repeats: 'batch',
  threads: true,
  inputs: ({ batch, tokens, dim }, draw) => ({
    tokens: draw.normals([batch, tokens, dim]),
    dictionary: draw.normals([dim, dim], { deviation: dim ** -0.5 }),
  }),
  ours: ({ tokens, dictionary }) => ista(tokens, dictionary, { stepSize, threshold }),
  reference: ({ tokens, dictionary }, { dim }) => istaReference({ tokens: tokens.data, dictionary: dictionary.data, dim }),
  gradients: ({ tokens, dictionary }, dOutput, { dim }) =>
    istaGradientReference({ tokens: tokens.data, dictionary: dictionary.data, dim }, dOutput),
  /** As the definition has it: two products forward and four backward; ours needs fewer. */
  flops({ batch, tokens, dim }) {
    const product = 2 * batch * tokens * dim * dim;
    return { forward: 2 * product, both: 6 * product };
  },
  bounds: { forward: 6, both: 8 },
  peers: {
    tfjs({ tokens, dictionary }, { batch, tokens: time, dim }) {
      const rows = tf.reshape(tokens, [batch * time, dim]);
      const rest = tf.sub(rows, tf.matMul(rows, dictionary, false, true));
      const step = tf.mul(tf.matMul(rest, dictionary), stepSize);
      return tf.reshape(tf.relu(tf.sub(tf.add(rows, step), stepSize * threshold)), [batch, time, dim]);
    },
    torch: `
rest = tokens - tokens @ dictionary.T
return torch.relu(tokens + ${stepSize} * (rest @ dictionary) - ${stepSize * threshold})`,
  },
});
