import { expect, expectTypeOf, test } from 'vitest';
import { bindShapes } from './bind-shapes';

const of = (...shape: number[]) => ({ shape });

test('gives the size of every axis, by name and type', () => {
  const sizes = bindShapes('op', { x: [of(2, 5, 8), 'batch time dim'], bias: [of(5, 5), 'time time'], scalar: [of(), ''] });
  expect(sizes).toEqual({ batch: 2, time: 5, dim: 8 });
  expectTypeOf(sizes).toEqualTypeOf<{ batch: number; time: number; dim: number }>();
});

test.each([
  [
    {
      query: [of(2, 5, 8), 'batch target dim'],
      key: [of(2, 5, 8), 'batch source dim'],
      value: [of(2, 4, 8), 'batch source dim'],
    },
    "aftFull: axis 'source' is 5 in key but 4 in value\n" +
      '  query  [batch target dim]  [2, 5, 8]\n' +
      '  key    [batch source dim]  [2, 5, 8]\n' +
      '  value  [batch source dim]  [2, 4, 8]',
  ],
  [{ x: [of(3), 'batch time'] }, 'aftFull: x must have 2 axes [batch time], got 1\n  x  [batch time]  [3]'],
  [{ x: [of(3, 2), 'time'] }, 'aftFull: x must have 1 axis [time], got 2'],
  [{ x: [of(3, 2), 'time time'] }, "aftFull: axis 'time' is 3 and 2 in x"],
  [{ x: [of(3, 2), 'batch 3'] }, 'aftFull: axis 1 of x must be 3, got 2'],
  [{ x: [of(3), '... rows columns'] }, 'aftFull: x must have at least 2 axes [... rows columns], got 1'],
  [
    { a: [of(2, 3, 4), '... rows'], b: [of(2, 4), '... rows'] },
    "aftFull: axes '...' are [2, 3] in a but [2] in b\n  a  [... rows]  [2, 3, 4]\n  b  [... rows]  [2, 4]",
  ],
] as const)('names the rule, the sizes and every argument: case %#', (bindings, message) => {
  expect(() => bindShapes('aftFull', bindings)).toThrow(
    expect.objectContaining({ name: 'ShapeError', message: expect.stringContaining(message) }),
  );
});

test('a group stands for any number of axes, none included', () => {
  expect(bindShapes('op', { a: [of(2, 3, 4, 5), '... rows columns'] })).toEqual({ '...': 6, rows: 4, columns: 5 });
  expect(bindShapes('op', { a: [of(4, 5), '... rows columns'], b: [of(5), 'columns'] })).toEqual({
    '...': 1,
    rows: 4,
    columns: 5,
  });
});

test('refuses what is not a tensor', () => {
  expect(() => bindShapes('op', { x: [undefined as never, 'time'] })).toThrow('op: x must be a Tensor, got undefined');
});
