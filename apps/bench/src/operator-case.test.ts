import { expect, it } from 'vitest';
import { aftLocalReference } from '../../../packages/aft/src/aft-local/reference';
import { aftConvReference } from '../../../packages/aft/src/conv-grid/reference';
import { mssaReference } from '../../../packages/subspace-attention/src/mssa/reference';
import { assertNear } from './assert-near';
import { uncheckedOperators } from './gpu/unchecked-operators';
import { checkedSizes, leastBytes } from './operator-case';
import { operatorCases } from './operators/index';
import { drawInputs } from './prepare-operator';

it('has a case for every operator with a fused WebGPU kernel', () => {
  expect(uncheckedOperators()).toEqual([]);
});

it('names its cases apart', () => {
  expect(new Set(operatorCases.map(({ name }) => name)).size).toBe(operatorCases.length);
});

it.each(operatorCases.map((operatorCase) => [operatorCase.name, operatorCase] as const))(
  '%s: the reference has an output and a gradient of every trained input',
  (_, operatorCase) => {
    const { check } = operatorCase.sizes;
    const inputs = drawInputs(operatorCase, check);
    const output = operatorCase.reference(inputs, check);
    const gradients = operatorCase.gradients?.(inputs, Float32Array.from(output), check) ?? {};
    expect([...output].every(Number.isFinite)).toBe(true);
    const trained = Object.entries(inputs).filter(([, input]) => input.trained);
    expect(Object.keys(gradients).sort()).toEqual(trained.map(([name]) => name).sort());
    for (const [name, { data }] of trained) expect(gradients[name], name).toHaveLength(data.length);
    expect(checkedSizes(operatorCase, operatorCase.sizes.gpu)[operatorCase.repeats]).toBeGreaterThan(0);
  },
);

it('counts the bytes that have to move', () => {
  const inputs = {
    x: { shape: [3], data: new Float32Array(3), trained: true },
    ids: { shape: [2], data: new Int32Array(2), trained: false },
  };
  // Read 3 and 2, write 4; backward read them and 4 again, and write a gradient of 3.
  expect(leastBytes(inputs, 4)).toEqual({ forward: 4 * 9, both: 4 * (9 + 9 + 3) });
});

it.each(['aft-local-dense', 'aft-conv-1d', 'aft-conv-1d-causal', 'aft-conv-2d-16'])(
  '%s: the quick reference is the one by the definition',
  (name) => {
    const operatorCase = operatorCases.find((found) => found.name === name)!;
    const { check } = operatorCase.sizes;
    const inputs = drawInputs(operatorCase, check);
    const { batch, time, height = 1, width = time, dim, heads, window, windowSize } = check as Record<string, number>;
    const numbers = (input: string) => inputs[input]!.data;
    const [query, key, value] = [numbers('query'), numbers('key'), numbers('value')];
    const given = {
      batch: batch!,
      dim: dim!,
      query,
      key,
      value,
      causal: name.endsWith('causal'),
      queryActivation: 'sigmoid',
    } as const;
    const dOutput = Float32Array.from(query, Math.cos);
    const grid = {
      height,
      width: width!,
      heads: heads!,
      windowHeight: check.windowHeight ?? 1,
      windowWidth: check.windowWidth ?? window!,
    };
    const made = windowSize
      ? aftLocalReference({ ...given, time: time!, windowSize, positionBias: numbers('positionBias') }, dOutput)
      : aftConvReference({ ...given, ...grid, kernel: numbers('kernel') }, dOutput);
    const dBias = 'dKernel' in made ? { kernel: made.dKernel } : { positionBias: made.dPositionBias };
    assertNear('output', operatorCase.reference(inputs, check), made.output, 1e-12);
    for (const [input, expected] of Object.entries({ query: made.dQuery, key: made.dKey, value: made.dValue, ...dBias })) {
      assertNear(input, operatorCase.gradients!(inputs, dOutput, check)[input]!, expected, 1e-12);
    }
  },
);

it.each(['mssa', 'mssa-causal-untied'])('%s: the quick reference is the one by the definition', (name) => {
  const operatorCase = operatorCases.find((found) => found.name === name)!;
  const sizes = operatorCase.sizes.check as Record<'batch' | 'tokens' | 'dim' | 'heads' | 'headDim', number>;
  const inputs = drawInputs(operatorCase, sizes);
  const [tokens, subspaces, output] = ['tokens', 'subspaces', 'output'].map((input) => inputs[input]?.data);
  const dOutput = Float32Array.from(tokens!, Math.cos);
  const given = { tokens: tokens!, subspaces: subspaces!, output, sizes, causal: name.includes('causal') };
  const made = mssaReference({ ...given, scale: 1 / Math.sqrt(sizes.headDim) }, dOutput);
  assertNear('output', operatorCase.reference(inputs, sizes), made.denoised, 1e-12);
  const gradients = operatorCase.gradients!(inputs, dOutput, sizes);
  const expected = { tokens: made.dTokens, subspaces: made.dSubspaces, output: made.dOutput };
  for (const [input, gradient] of Object.entries(gradients))
    assertNear(input, gradient, expected[input as keyof typeof expected], 1e-12);
});
