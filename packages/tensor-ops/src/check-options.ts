import { Tensor } from '@tensorflow/tfjs-core';
import { OptionError } from './errors';

/** What an option may hold: a kind of value, or the list of its allowed values. */
export type OptionRule =
  | 'boolean'
  | 'finite'
  | 'positive'
  | 'nonNegative'
  | 'positiveInteger'
  | 'nonNegativeInteger'
  | 'autoOrPositiveInteger'
  | 'string'
  | 'tensor'
  /** Anything: the function checks it by itself. */
  | 'unchecked'
  | readonly (string | number | boolean | null)[];

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);

const kinds: Record<string, [rule: string, test: (value: unknown) => boolean]> = {
  boolean: ['true or false', (value) => typeof value === 'boolean'],
  finite: ['a finite number', isNumber],
  positive: ['a finite number above 0', (value) => isNumber(value) && value > 0],
  nonNegative: ['a finite number, 0 or above', (value) => isNumber(value) && value >= 0],
  positiveInteger: ['an integer above 0', (value) => Number.isSafeInteger(value) && (value as number) > 0],
  nonNegativeInteger: ['an integer, 0 or above', (value) => Number.isSafeInteger(value) && (value as number) >= 0],
  autoOrPositiveInteger: [
    "'auto' or an integer above 0",
    (value) => value === 'auto' || (Number.isSafeInteger(value) && (value as number) > 0),
  ],
  string: ['a string', (value) => typeof value === 'string'],
  unchecked: ['anything', () => true],
  tensor: ['a Tensor', (value) => value instanceof Tensor],
};

/** `value` as an error message shows it. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (value instanceof Tensor) return `a Tensor of shape [${value.shape.join(', ')}]`;
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/**
 * Refuses options that a function does not have, and values its options cannot take. An `undefined` value counts as absent.
 *
 * @param functionName - The public function, as its user calls it.
 * @param options - What the user passed.
 * @param rules - Every option the function has, with what it may hold.
 * @throws OptionError naming the option, the rule and the value found.
 */
export function checkOptions(functionName: string, options: object | undefined, rules: Record<string, OptionRule>): void {
  if (options === undefined) return;
  if (typeof options !== 'object' || options === null || options instanceof Tensor || Array.isArray(options)) {
    throw new OptionError(`${functionName}: options must be a plain object, got ${show(options)}`);
  }
  for (const name of Object.keys(options)) {
    const value: unknown = (options as Record<string, unknown>)[name];
    if (value === undefined) continue;
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (rule === undefined) {
      throw new OptionError(`${functionName}: unknown option '${name}'; the options are ${Object.keys(rules).join(', ')}`);
    }
    if (typeof rule === 'string') {
      const [text, test] = kinds[rule]!;
      if (!test(value)) throw new OptionError(`${functionName}: option ${name} must be ${text}, got ${show(value)}`);
    } else if (!rule.includes(value as never)) {
      throw new OptionError(`${functionName}: option ${name} must be one of ${rule.map(show).join(', ')}, got ${show(value)}`);
    }
  }
}
