import { assertClose, numericalGradient, SeededRandom } from '@mixfold/testing';
import { test } from 'vitest';
import { attentionReference } from './reference';

test.each([
  [false, 0],
  [true, 2],
  [true, 4],
])('the gradients of the reference are those of central differences: causal %s, bias of %i axes', async (causal, axes) => {
  const random = new SeededRandom(1);
  const sizes = { batch: 2, heads: 4, keyHeads: 2, target: 3, source: 5, headDim: 3, valueDim: 2 };
  const draw = (...shape: number[]) => random.normals(shape).data;
  const shape = axes === 0 ? undefined : axes === 2 ? [3, 5] : [1, 4, 3, 5];
  const inputs = {
    query: draw(2, 4, 3, 3),
    key: draw(2, 2, 5, 3),
    value: draw(2, 2, 5, 2),
    ...(shape ? { bias: draw(...shape) } : {}),
  };
  const cotangent = draw(2, 4, 3, 2);
  const mask = random.mask([2, 1, 3, 5], 0.7);
  const kept = random.mask([2, 4, 3, 5], 0.8).data.map((x) => 1.25 * x);
  const call = (at: Record<string, ArrayLike<number>>) => {
    const { query, key, value, bias } = at as Record<'query' | 'key' | 'value' | 'bias', ArrayLike<number>>;
    const pairs = shape && { shape, data: bias };
    return { query, key, value, bias: pairs, sizes, causal, mask, kept, scale: 0.7 };
  };
  const expected = numericalGradient((at) => attentionReference(call(at)).output, inputs, { cotangent });
  const actual = attentionReference(call(inputs), cotangent);
  const names = { query: 'dQuery', key: 'dKey', value: 'dValue', bias: 'dBias' } as const;
  for (const name of Object.keys(inputs) as (keyof typeof names)[]) {
    await assertClose(name, actual[names[name]], expected[name]!, { relative: 1e-8, absolute: 1e-10 });
  }
});
