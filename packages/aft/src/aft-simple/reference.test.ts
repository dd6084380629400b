import { assertClose, numericalGradient, SeededRandom } from '@mixfold/testing';
import { test } from 'vitest';
import type { QueryActivation } from '../query-activation';
import { aftSimpleReference } from './reference';

const cases = ([null, 'linear', 'sigmoid', 'tanh', 'relu'] as QueryActivation[]).flatMap((queryActivation) =>
  [false, true].map((causal) => ({ queryActivation, causal })),
);

test.each(cases)(
  'the gradients of the reference are those of central differences: $queryActivation, causal $causal',
  async ({ queryActivation, causal }) => {
    const random = new SeededRandom(1);
    const [batch, time, dim] = [2, 5, 3];
    const shape = [batch, time, dim];
    const inputs = { query: random.normals(shape).data, key: random.normals(shape).data, value: random.normals(shape).data };
    const cotangent = random.normals(shape).data;
    const keyMask = [0, 1, 1, 0, 1, 1, 1, 1, 1, 1];
    const fixed = { batch, time, dim, causal, queryActivation, keyMask };
    const expected = numericalGradient((at) => aftSimpleReference({ ...fixed, ...at }).output, inputs, { cotangent });
    const { dQuery, dKey, dValue } = aftSimpleReference({ ...fixed, ...inputs }, cotangent);
    await assertClose('dQuery', dQuery, expected.query!, { relative: 1e-9, absolute: 1e-11 });
    await assertClose('dKey', dKey, expected.key!, { relative: 1e-9, absolute: 1e-11 });
    await assertClose('dValue', dValue, expected.value!, { relative: 1e-9, absolute: 1e-11 });
  },
);
