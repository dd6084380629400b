import { expect, it } from 'vitest';
import { uncheckedOperators } from './gpu/unchecked-operators';
import { checkedSizes, leastBytes } from './operator-case';
import { operatorCases } from './operators/index';
import { drawInputs } from './prepare-operator';

it('finds the operators that no case calls', () => {
  const called = operatorCases.flatMap(({ operators }) => operators.map(({ spec }) => spec.name));
  expect(uncheckedOperators().filter((name) => called.includes(name))).toEqual([]);
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
    const gradients = operatorCase.gradients(inputs, Float32Array.from(output), check);
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
