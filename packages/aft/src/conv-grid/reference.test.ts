import { assertClose, numericalGradient, SeededRandom } from '@mixfold/testing';
import { test } from 'vitest';
import type { QueryActivation } from '../query-activation';
import { aftConvReference } from './reference';

const cases = ([null, 'linear', 'sigmoid', 'tanh', 'relu'] as QueryActivation[]).flatMap((queryActivation) =>
  [false, true].map((causal) => ({ queryActivation, causal })),
);

test.each(cases)(
  'the gradients of the reference are those of central differences: $queryActivation, causal $causal',
  async ({ queryActivation, causal }) => {
    const random = new SeededRandom(1);
    const [batch, height, width, dim, heads] = [2, causal ? 1 : 2, causal ? 6 : 3, 4, 2];
    const [windowHeight, windowWidth] = [causal ? 1 : 2, 3];
    const positions = height * width;
    const inputs = {
      query: random.normals([batch, positions, dim]).data,
      key: random.normals([batch, positions, heads]).data,
      value: random.normals([batch, positions, dim]).data,
      kernel: random.normals([heads, windowHeight, windowWidth]).data,
    };
    const cotangent = random.normals([batch, positions, dim]).data;
    const keyMask = [0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0];
    const fixed = { batch, height, width, dim, heads, windowHeight, windowWidth, causal, queryActivation, keyMask };
    const expected = numericalGradient((at) => aftConvReference({ ...fixed, ...at }).output, inputs, { cotangent });
    const actual = aftConvReference({ ...fixed, ...inputs }, cotangent);
    for (const [name, gradient] of Object.entries({
      query: actual.dQuery,
      key: actual.dKey,
      value: actual.dValue,
      kernel: actual.dKernel,
    })) {
      await assertClose(name, gradient, expected[name]!, { relative: 1e-9, absolute: 1e-11 });
    }
  },
);
