import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import type { Random } from '../random/random';
import type { LanguageModel } from './language-model';
import { flattenParams, type Params, rebuildParams } from './params';

/** Logits of a text read in two parts, which end at `cuts`, and then token by token, with the positions of the layers at its end. */
export function streamedLogits(
  model: LanguageModel,
  params: Params,
  tokens: tf.Tensor2D,
  [first, second]: readonly [number, number],
): { logits: tf.Tensor; positions: number[] } {
  const [batch, time] = tokens.shape;
  const part = (from: number, count: number) => tf.slice(tokens, [0, from], [batch, count]) as tf.Tensor2D;
  const start = model.prefill(params, part(0, first), model.initialState(batch));
  const middle = model.prefill(params, part(first, second - first), start.state);
  const parts: tf.Tensor[] = [start.logits, middle.logits];
  let { state } = middle;
  for (let at = second; at < time; at++) {
    const next = model.step(params, tf.reshape(part(at, 1), [batch]) as tf.Tensor1D, state);
    parts.push(tf.reshape(next.logits, [batch, 1, 256]));
    state = next.state;
  }
  return { logits: tf.concat(parts, 1), positions: state.map(({ position }) => position) };
}

/** Fails unless the gradients say how the loss changes along a random direction of all weights. A loss with kinks wants a shorter `step`, which crosses fewer. */
export async function expectSlope(
  lossOf: (weights: Params) => tf.Scalar,
  params: Params,
  gradients: readonly tf.Tensor[],
  random: Random,
  step = 2 ** -8,
): Promise<void> {
  const weights = flattenParams(params).map(([, weight]) => weight);
  const directions = weights.map(({ size, shape }) =>
    tf.tensor(
      Float32Array.from({ length: size }, () => 2 * random.uniform() - 1),
      shape,
    ),
  );
  const shifted = async (by: number) => {
    const moved = weights.map((weight, i) => tf.add(weight, tf.mul(directions[i]!, by)));
    return (await lossOf(rebuildParams(params, moved)).data())[0]!;
  };
  const measured = ((await shifted(step)) - (await shifted(-step))) / (2 * step);
  const predicted = tf.sum(tf.stack(gradients.map((gradient, i) => tf.sum(tf.mul(gradient, directions[i]!)))));
  const difference = Math.abs(measured - (await predicted.data())[0]!);
  expect(difference).toBeLessThan(1e-3 + 5e-3 * Math.abs(measured));
}
