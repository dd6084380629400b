import { expect, test } from 'vitest';
import { checkOptions, type OptionRule } from './check-options';

const accepted: [OptionRule, unknown][] = [
  ['boolean', false],
  ['finite', -1.5],
  ['positive', 0.1],
  ['nonNegative', 0],
  ['positiveInteger', 1],
  ['nonNegativeInteger', 0],
  ['string', ''],
  [['a', null], null],
];

test.each(accepted)('%j takes %j, and undefined', (rule, value) => {
  expect(() => checkOptions('f', { option: value }, { option: rule })).not.toThrow();
  expect(() => checkOptions('f', { option: undefined }, { option: rule })).not.toThrow();
});

const refused: [OptionRule, unknown, string][] = [
  ['boolean', 0, 'f: option option must be true or false, got 0'],
  ['finite', Number.NaN, 'f: option option must be a finite number, got NaN'],
  ['finite', '1', "must be a finite number, got '1'"],
  ['positive', 0, 'must be a finite number above 0, got 0'],
  ['nonNegative', -1, 'must be a finite number, 0 or above, got -1'],
  ['positiveInteger', 1.5, 'must be an integer above 0, got 1.5'],
  ['nonNegativeInteger', Number.POSITIVE_INFINITY, 'must be an integer, 0 or above, got Infinity'],
  ['string', null, 'must be a string, got null'],
  ['tensor', [1], 'must be a Tensor, got an array'],
  [['a', null], 'b', "must be one of 'a', null, got 'b'"],
];

test.each(refused)('%j refuses %j', (rule, value, message) => {
  const call = () => checkOptions('f', { option: value }, { option: rule });
  expect(call).toThrow(expect.objectContaining({ name: 'OptionError', message: expect.stringContaining(message) }));
});

test('refuses an unknown option, also one that every object has, and options that are not an object', () => {
  expect(() => checkOptions('f', { casual: true }, { causal: 'boolean', rate: 'finite' })).toThrow(
    "f: unknown option 'casual'; the options are causal, rate",
  );
  expect(() => checkOptions('f', { toString: true }, { causal: 'boolean' })).toThrow("f: unknown option 'toString'");
  expect(() => checkOptions('f', true as never, {})).toThrow('f: options must be a plain object, got true');
});
