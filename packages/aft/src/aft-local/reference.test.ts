import { assertClose, numericalGradient, SeededRandom } from '@mixfold/testing';
import { test } from 'vitest';
import { aftLocalReference } from './reference';

const cases = [0, 1, 3, 9].flatMap((windowSize) => [false, true].map((causal) => ({ windowSize, causal })));

test.each(cases)(
  'the gradients of the reference are those of central differences: window $windowSize, causal $causal',
  async ({ windowSize, causal }) => {
    const random = new SeededRandom(1);
    const [batch, time, dim] = [2, 5, 3];
    const shape = [batch, time, dim];
    const inputs = {
      query: random.normals(shape).data,
      key: random.normals(shape).data,
      value: random.normals(shape).data,
      positionBias: random.normals([time, time]).data,
    };
    const cotangent = random.normals(shape).data;
    const keyMask = [0, 1, 1, 0, 1, 1, 1, 1, 1, 1];
    const fixed = { batch, time, dim, windowSize, causal, queryActivation: 'sigmoid', keyMask } as const;
    const expected = numericalGradient((at) => aftLocalReference({ ...fixed, ...at }).output, inputs, { cotangent });
    const { dQuery, dKey, dValue, dPositionBias } = aftLocalReference({ ...fixed, ...inputs }, cotangent);
    for (const [name, gradient] of Object.entries({ query: dQuery, key: dKey, value: dValue, positionBias: dPositionBias })) {
      await assertClose(name, gradient, expected[name]!, { relative: 1e-9, absolute: 1e-11 });
    }
  },
);
