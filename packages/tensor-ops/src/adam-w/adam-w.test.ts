import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { adamWState, adamWStep } from './adam-w';

describeBackends(
  'adamWStep beside stock tfjs',
  () => {
    // tfjs's own product keeps a packed copy of its right operand by the identity of its data, and never looks at the data again.
    test('a stock matMul multiplies by the updated parameter, not by what it packed before', async () => {
      const x = tf.ones([1, 4]) as tf.Tensor2D;
      let weight = tf.fill([4, 4], 1) as tf.Tensor2D;
      let state = adamWState([weight]);
      expect([...(await tf.matMul(x, weight).data())]).toEqual([4, 4, 4, 4]);
      for (let step = 0; step < 2; step++) {
        const next = adamWStep([weight], [tf.fill([4, 4], -1)], state, { rate: 1, weightDecay: 0, epsilon: 1e-12 });
        tf.dispose([weight, state.mean, state.square]);
        [weight, state] = [next.parameters[0] as tf.Tensor2D, next.state];
        const [product] = await tf.matMul(x, weight).data();
        expect(product).toBeCloseTo(4 * (2 + step), 4);
      }
    });

    test('a variable takes the updated parameter in place of its old one', async () => {
      const variable = tf.variable(tf.fill([3, 3], 1));
      const x = tf.ones([1, 3]) as tf.Tensor2D;
      const before = tf.matMul(x, variable as tf.Tensor as tf.Tensor2D);
      const next = adamWStep([variable], [tf.fill([3, 3], -1)], adamWState([variable]), { rate: 1, weightDecay: 0 });
      variable.assign(next.parameters[0]!);
      const after = await tf.matMul(x, variable as tf.Tensor as tf.Tensor2D).data();
      expect([(await before.data())[0], Math.round(after[0]!)]).toEqual([3, 6]);
      variable.dispose();
    });

    test('a long list of parameters', async () => {
      const parameters = Array.from({ length: 150 }, (_, i) => tf.fill([1 + (i % 5)], i));
      const gradients = parameters.map(({ shape }, i) => tf.fill(shape, i % 2 ? 1 : -1));
      const state = adamWState(parameters);
      const decays = parameters.map((_, i) => i % 7 === 0);
      const step = () => adamWStep(parameters, gradients, state, { rate: 0.5, weightDecay: 0.2, decays });
      for (const [i, parameter] of step().parameters.entries()) {
        const wanted = (decays[i] ? 0.9 * i : i) - 0.5 * (i % 2 ? 1 : -1);
        for (const value of await parameter.data()) expect(Math.abs(value - wanted)).toBeLessThan(1e-4);
      }
      await expectNoLeak(() => {
        const made = step();
        return [...made.parameters, made.state.mean, made.state.square];
      });
    });
  },
  { only: ['wasm', 'webgpu'] },
);
