import { assertClose, numericalGradient, SeededRandom } from '@mixfold/testing';
import { test } from 'vitest';
import { type MssaReferenceCall, mssaReference } from './reference';

const gradientNames = { tokens: 'dTokens', subspaces: 'dSubspaces', output: 'dOutput', queryKeyGain: 'dQueryKeyGain' } as const;

test.each<[string, Partial<MssaReferenceCall>, string[]]>([
  ['tied', {}, ['tokens', 'subspaces']],
  ['untied, causal', { causal: true }, ['tokens', 'subspaces', 'output']],
  ['normalised queries and keys, no self', { maskSelf: true }, ['tokens', 'subspaces', 'queryKeyGain']],
  ['relu', { phi: 'relu', causal: true }, ['tokens', 'subspaces', 'output', 'queryKeyGain']],
])('the gradients of the reference are those of central differences: %s', async (_, options, names) => {
  const random = new SeededRandom(3);
  const sizes = { batch: 2, tokens: 4, dim: 5, heads: 2, headDim: 3 };
  const draw = (...shape: number[]) => random.normals(shape, 0.8).data;
  const all = { tokens: draw(2, 4, 5), subspaces: draw(2, 5, 3), output: draw(2, 3, 5), queryKeyGain: draw(3) };
  const inputs = Object.fromEntries(names.map((name) => [name, all[name as 'tokens']]));
  const cotangent = draw(2, 4, 5);
  const keyMask = [1, 0, 1, 1, 1, 1, 1, 0];
  const call = (at: Record<string, ArrayLike<number>>) => ({ ...(at as typeof all), sizes, keyMask, scale: 0.7, ...options });
  const expected = numericalGradient((at) => mssaReference(call(at)).denoised, inputs, { cotangent });
  const actual = mssaReference(call(inputs), cotangent);
  for (const name of names) {
    const gradient = actual[gradientNames[name as 'tokens']];
    await assertClose(name, gradient, expected[name]!, { relative: 1e-8, absolute: 1e-10 });
  }
});
