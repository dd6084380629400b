import { fractionalShift, fractionalShiftOperator, shift, shiftOperator } from '@mixfold/positional-shift';
import * as tf from '@tensorflow/tfjs-core';
import { fractionalShiftReference } from '../../../../packages/positional-shift/src/fractional-shift/reference';
import { shiftReference } from '../../../../packages/positional-shift/src/shift/reference';
import { operatorCase } from '../operator-case';

export const shiftCase = operatorCase({
  name: 'shift',
  about: 'a shift along time by 3',
  operators: [shiftOperator],
  sizes: {
    check: { batch: 2, time: 67, dim: 33 },
    cpu: { batch: 1, time: 4096, dim: 256 },
    gpu: { batch: 8, time: 2048, dim: 1024 },
  },
  repeats: 'batch',
  inputs: ({ batch, time, dim }, draw) => ({ x: draw.normals([batch, time, dim]) }),
  ours: ({ x }) => shift(x, 3),
  reference: ({ x }, { batch, time, dim }) => shiftReference(x.data, [batch, time, dim], 3, 'zero'),
  gradients: (_, dOutput, { batch, time, dim }) => ({ x: shiftReference(dOutput, [batch, time, dim], 3, 'zero', true) }),
  peers: {
    tfjs({ x }, { batch, time, dim }) {
      const padded = tf.pad(x, [
        [0, 0],
        [3, 0],
        [0, 0],
      ]);
      return tf.slice(padded, [0, 0, 0], [batch, time, dim]);
    },
    torch: 'return F.pad(x, (0, 0, 3, -3))',
  },
});

export const fractionalShiftCase = operatorCase({
  name: 'fractional-shift',
  about: 'shifts along time by learned real offsets, one per head',
  operators: [fractionalShiftOperator],
  sizes: {
    check: { batch: 2, time: 67, dim: 36, heads: 4 },
    cpu: { batch: 1, time: 4096, dim: 256, heads: 8 },
    gpu: { batch: 8, time: 2048, dim: 1024, heads: 16 },
  },
  repeats: 'batch',
  inputs: ({ batch, time, dim, heads }, draw) => ({
    x: draw.normals([batch, time, dim]),
    offset: draw.normals([heads], { deviation: 4 }),
  }),
  ours: ({ x, offset }) => fractionalShift(x, offset),
  reference: ({ x, offset }, { batch, time, dim }) =>
    fractionalShiftReference(x.data, offset.data, [batch, time, dim], 'zero').output,
  gradients({ x, offset }, dOutput, { batch, time, dim }) {
    const { dX, dOffset } = fractionalShiftReference(x.data, offset.data, [batch, time, dim], 'zero', dOutput);
    return { x: dX, offset: dOffset };
  },
});
