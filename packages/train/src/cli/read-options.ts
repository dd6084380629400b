import { InputError } from '../input-error';

/** What the user typed behind `--name`, or the default. */
export type Given = string | boolean | undefined;

/** @throws InputError unless `value` is a whole number, at least `minimum`; `or` says what else the option takes. */
export function readInteger(name: string, value: Given, minimum = 1, or = ''): number {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number) && number >= minimum) return number;
  throw new InputError(`--${name} must be ${or}a whole number, ${minimum} or more, got ${show(value)}`);
}

/** @throws InputError unless `value` is a finite number above 0, or 0 where `zero` allows it. */
export function readNumber(name: string, value: Given, { zero = false } = {}): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
  if (Number.isFinite(number) && (zero ? number >= 0 : number > 0)) return number;
  throw new InputError(`--${name} must be a finite number${zero ? ', 0 or above' : ' above 0'}, got ${show(value)}`);
}

/** @throws InputError unless `value` is one of those that exist. */
export function readChoice<const Choice extends string>(name: string, value: Given, choices: readonly Choice[]): Choice {
  if (choices.includes(value as Choice)) return value as Choice;
  throw new InputError(`--${name} ${show(value)} does not exist; the choices are ${choices.join(', ')}`);
}

/** @throws InputError if nothing follows the option. */
export function readText(name: string, value: Given): string {
  if (typeof value === 'string' && value !== '') return value;
  throw new InputError(`--${name} must be followed by a value`);
}

const show = (value: Given) => (value === '' || value === true || value === undefined ? 'nothing' : `'${value}'`);
