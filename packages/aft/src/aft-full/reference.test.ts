import { assertClose, numericalGradient, SeededRandom } from '@mixfold/testing';
import { test } from 'vitest';
import type { QueryActivation } from '../query-activation';
import { aftFullReference } from './reference';

const cases = ([null, 'linear', 'sigmoid', 'tanh', 'relu'] as QueryActivation[]).flatMap((queryActivation) =>
  [false, true].flatMap((causal) => [0, 2].map((rank) => ({ queryActivation, causal, rank }))),
);

test.each(cases)(
  'the gradients of the reference are those of central differences: $queryActivation, causal $causal, rank $rank',
  async ({ queryActivation, causal, rank }) => {
    const random = new SeededRandom(1);
    const [batch, target, dim] = [2, 4, 3];
    const source = causal ? target : 5;
    const draw = (...shape: number[]) => random.normals(shape).data;
    const bias: Record<string, Float64Array> =
      rank === 0 ? { positionBias: draw(target, source) } : { u: draw(target, rank), v: draw(source, rank) };
    const inputs = { query: draw(batch, target, dim), key: draw(batch, source, dim), value: draw(batch, source, dim), ...bias };
    const cotangent = draw(batch, target, dim);
    const keyMask = Array.from({ length: batch * source }, (_, i) => (i % source < 2 && i < source ? 0 : 1));
    const fixed = { batch, target, source, dim, causal, queryActivation, keyMask };
    const expected = numericalGradient((at) => aftFullReference({ ...fixed, ...at } as never).output, inputs, { cotangent });
    const actual = aftFullReference({ ...fixed, ...inputs } as never, cotangent);
    const names = { query: 'dQuery', key: 'dKey', value: 'dValue', positionBias: 'dPositionBias', u: 'dU', v: 'dV' } as const;
    for (const name of Object.keys(inputs) as (keyof typeof names)[]) {
      await assertClose(name, actual[names[name]], expected[name]!, { relative: 1e-8, absolute: 1e-10 });
    }
  },
);
