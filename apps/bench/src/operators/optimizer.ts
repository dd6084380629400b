import { adamWOperator, adamWStep, globalNorm, globalNormOperator } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { adamWReference } from '../../../../packages/tensor-ops/src/adam-w/reference';
import { globalNormReference } from '../../../../packages/tensor-ops/src/global-norm/reference';
import { type AnyTensor, operatorCase } from '../operator-case';

// A set of several tensors has an operator of its own, from the same kernels as that of one.

const sizes = {
  check: { hidden: 37, dim: 67 },
  cpu: { hidden: 2048, dim: 512 },
  gpu: { hidden: 8192, dim: 2048 },
};

const step = { rate: 0.1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 };
/** Steps made before. */
const updates = 7;

type AdamWInput = 'weight' | 'gain' | 'dWeight' | 'dGain' | 'mean' | 'square';

/** The moments of the weight and of the gain, which stand one behind the other. */
const parts = <Part>(slice: (begin: number, end: number) => Part, weights: number, gains: number): [Part, Part] => [
  slice(0, weights),
  slice(weights, weights + gains),
];

export const adamWCase = operatorCase({
  name: 'adam-w',
  about: 'a step of AdamW for a matrix and a gain, which does not decay',
  operators: [adamWOperator],
  sizes,
  repeats: 'hidden',
  inputs: ({ hidden, dim }, draw) => ({
    weight: draw.normals([hidden, dim], { trained: false }),
    gain: draw.normals([dim], { trained: false }),
    dWeight: draw.normals([hidden, dim], { trained: false }),
    dGain: draw.normals([dim], { trained: false }),
    mean: draw.normals([hidden * dim + dim], { trained: false }),
    square: draw.positives([hidden * dim + dim]),
  }),
  ours({ weight, gain, dWeight, dGain, mean, square }) {
    const made = adamWStep([weight, gain], [dWeight, dGain], { updates, mean, square }, { ...step, decays: [true, false] });
    return [...made.parameters, made.state.mean, made.state.square];
  },
  reference({ weight, gain, dWeight, dGain, mean, square }) {
    const moments = ({ data }: { data: ArrayLike<number> }) => {
      const numbers = Float64Array.from(data);
      return parts((begin, end) => numbers.slice(begin, end), weight.data.length, gain.data.length);
    };
    const made = adamWReference(
      {
        updates,
        parameters: [weight, gain].map(({ data }) => Float64Array.from(data)),
        mean: moments(mean),
        square: moments(square),
      },
      [dWeight.data, dGain.data],
      { ...step, decays: [true, false], gradientScale: 1 },
    );
    const all = [...made.parameters, ...made.mean, ...made.square];
    const output = new Float64Array(all.reduce((size, { length }) => size + length, 0));
    let at = 0;
    for (const part of all) {
      output.set(part, at);
      at += part.length;
    }
    return output;
  },
  peers: {
    tfjs({ weight, gain, dWeight, dGain, mean, square }: Record<AdamWInput, AnyTensor>) {
      const { rate, beta1, beta2, epsilon, weightDecay } = step;
      const flat = (x: tf.Tensor) => tf.reshape(x, [-1]);
      const gradient = tf.concat([flat(dWeight), flat(dGain)]);
      const nextMean = tf.add(tf.mul(mean, beta1), tf.mul(gradient, 1 - beta1));
      const nextSquare = tf.add(tf.mul(square, beta2), tf.mul(tf.square(gradient), 1 - beta2));
      const root = tf.add(tf.sqrt(tf.div(nextSquare, 1 - beta2 ** (updates + 1))), epsilon);
      const change = tf.div(tf.mul(nextMean, rate / (1 - beta1 ** (updates + 1))), root);
      const changes = parts((begin, end) => tf.slice(change, begin, end - begin), weight.size, gain.size);
      const nextWeight = tf.sub(tf.mul(weight, 1 - rate * weightDecay), tf.reshape(changes[0], weight.shape));
      return [nextWeight, tf.sub(gain, changes[1]), nextMean, nextSquare];
    },
    torch: `
gradient = torch.cat((dWeight.flatten(), dGain))
mean = torch.lerp(gradient, mean, ${step.beta1})
square = torch.lerp(gradient.square(), square, ${step.beta2})
root = (square / ${1 - step.beta2 ** (updates + 1)}).sqrt() + ${step.epsilon}
change = ${step.rate / (1 - step.beta1 ** (updates + 1))} * mean / root
weight = ${1 - step.rate * step.weightDecay} * weight - change[:weight.numel()].view_as(weight)
return weight, gain - change[weight.numel():], mean, square`,
  },
});

export const globalNormCase = operatorCase({
  name: 'global-norm',
  about: 'the norm of a matrix and a gain together',
  operators: [globalNormOperator],
  sizes,
  repeats: 'hidden',
  inputs: ({ hidden, dim }, draw) => ({
    weight: draw.normals([hidden, dim], { trained: false }),
    gain: draw.normals([dim], { trained: false }),
  }),
  ours: ({ weight, gain }) => globalNorm([weight, gain]),
  reference: ({ weight, gain }) => Float64Array.of(globalNormReference([weight.data, gain.data])),
  peers: {
    tfjs: ({ weight, gain }) => tf.sqrt(tf.add(tf.sum(tf.square(weight)), tf.sum(tf.square(gain)))),
    torch: 'return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(x) for x in (weight, gain)]))',
  },
});
