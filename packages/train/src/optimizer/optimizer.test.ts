import { assertClose, describeBackends, SeededRandom, tensorOf } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import type { Params } from '../model/params';
import { adamW } from './adam-w';
import { clipByGlobalNorm, clippingScale } from './clip-by-global-norm';
import { cosineSchedule } from './cosine-schedule';
import type { OptimizerState } from './optimizer';

/** AdamW on one weight in float64, as the paper writes it. */
function reference(weight: number, gradients: readonly number[], rate: number, decay: number): number {
  const [beta1, beta2, epsilon] = [0.9, 0.95, 1e-8];
  let [w, m, v] = [weight, 0, 0];
  gradients.forEach((g, i) => {
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * g * g;
    w = w - rate * decay * w - (rate * (m / (1 - beta1 ** (i + 1)))) / (Math.sqrt(v / (1 - beta2 ** (i + 1))) + epsilon);
  });
  return w;
}

describeBackends('adamW', (backend) => {
  test('agrees with the definition over ten steps; vectors do not decay', async () => {
    const random = new SeededRandom(1);
    const weights = { matrix: random.normals([3, 5]), vector: random.normals([7]) };
    const gradients = Array.from({ length: 10 }, () => [random.normals([3, 5]), random.normals([7])] as const);
    const optimizer = adamW({ weightDecay: 0.1 });
    let params: Params = { matrix: tensorOf(weights.matrix), vector: tensorOf(weights.vector) };
    let state: OptimizerState = optimizer.initialState(params);
    for (const step of gradients) ({ params, state } = optimizer.update(params, step.map(tensorOf), state, 0.01));
    expect(state.updates).toBe(10);
    const wanted = (name: 'matrix' | 'vector', at: number, decay: number) =>
      Array.from(weights[name].data, (weight, i) =>
        reference(
          weight,
          gradients.map((step) => step[at]!.data[i]!),
          0.01,
          decay,
        ),
      );
    await assertClose('matrix', params.matrix as tf.Tensor, wanted('matrix', 0, 0.1), { relative: backend.tolerance.gradient });
    await assertClose('vector', params.vector as tf.Tensor, wanted('vector', 1, 0), { relative: backend.tolerance.gradient });
  });

  test('takes the factor that clips gradients instead of clipped gradients', async () => {
    const random = new SeededRandom(2);
    const [weight, gradient] = [random.normals([4, 3]), random.normals([4, 3])];
    const optimizer = adamW();
    const params = { w: tensorOf(weight) };
    const state = optimizer.initialState(params);
    const gradients = [tensorOf(gradient)];
    const byScale = optimizer.update(params, gradients, state, 0.1, clippingScale(gradients, 0.5).scale);
    const byCopy = optimizer.update(params, clipByGlobalNorm(gradients, 0.5).gradients, state, 0.1);
    const bound = { relative: backend.tolerance.forward };
    await assertClose('mean', byScale.state.tensors.mean!, byCopy.state.tensors.mean!, bound);
    await assertClose('weight', byScale.params.w as tf.Tensor, byCopy.params.w as tf.Tensor, bound);
  });

  test('changes and disposes nothing it is given', async () => {
    const params = { w: tf.ones([2, 2]) };
    const optimizer = adamW();
    const state = optimizer.initialState(params);
    const updated = optimizer.update(params, [tf.ones([2, 2])], state, 0.5);
    expect([...(await params.w.data())]).toEqual([1, 1, 1, 1]);
    for (const tensor of Object.values(state.tensors)) expect([...(await tensor.data())]).toEqual([0, 0, 0, 0]);
    expect(Object.keys(updated.state.tensors)).toEqual(['mean', 'square']);
    expect((await (updated.params as { w: tf.Tensor }).w.data())[0]).toBeLessThan(1);
  });

  test('refuses bad options', () => {
    expect(() => adamW({ beta1: 1 })).toThrow('adamW: option beta1 must be below 1, got 1');
    expect(() => adamW({ weightDecay: Number.NaN })).toThrow('adamW: option weightDecay');
    expect(() => adamW({ rate: 1 } as object)).toThrow("adamW: unknown option 'rate'");
  });
});

describeBackends('clipByGlobalNorm', (backend) => {
  test('scales all gradients by one factor, and only if they are too long', async () => {
    const gradients = [tf.tensor([3, 0]), tf.tensor([[4]])];
    const clipped = clipByGlobalNorm(gradients, 1);
    await assertClose('norm', clipped.norm, [5], { relative: backend.tolerance.forward });
    await assertClose('first', clipped.gradients[0]!, [0.6, 0], { relative: backend.tolerance.forward });
    await assertClose('second', clipped.gradients[1]!, [0.8], { relative: backend.tolerance.forward });
    expect(await clipByGlobalNorm(gradients, 10).gradients[1]!.data()).toEqual(Float32Array.of(4));
    expect(await clipByGlobalNorm([tf.zeros([2])], 1).gradients[0]!.data()).toEqual(Float32Array.of(0, 0));
    expect(() => clipByGlobalNorm(gradients, 0)).toThrow('clipByGlobalNorm: option maximumNorm');
  });
});

test('cosineSchedule rises, falls and ends at its fraction', () => {
  const rate = cosineSchedule({ rate: 2, steps: 100, warmup: 10, finalFraction: 0.1 });
  expect([rate(0), rate(9), rate(10)]).toEqual([0.2, 2, 2]);
  expect(rate(55)).toBeCloseTo(1.1, 10);
  expect(rate(100)).toBeCloseTo(0.2, 10);
  expect(rate(1000)).toBeCloseTo(0.2, 10);
  for (let step = 11; step < 100; step++) expect(rate(step)).toBeLessThan(rate(step - 1));
  expect(cosineSchedule({ rate: 1, steps: 1 })(0)).toBe(1);
  expect(() => cosineSchedule({ rate: Number.NaN, steps: 5 })).toThrow('cosineSchedule: option rate');
});
