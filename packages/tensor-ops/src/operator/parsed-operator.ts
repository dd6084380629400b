import { type ArgumentAxes, type AxisContract, parseContract } from '../axes';
import type { OptionRule } from '../check-options';
import type { Attributes } from './types';

/** What is derived from an operator's declaration once, when it is made. */
export interface ParsedOperator {
  readonly functionName: string;
  readonly inputs: readonly ArgumentAxes[];
  readonly outputs: readonly ArgumentAxes[];
  readonly saved: readonly ArgumentAxes[];
  /** What each attribute may hold. */
  readonly rules: Readonly<Record<string, OptionRule>>;
}

/** The parts of a declaration that are read once. */
interface Declaration {
  readonly name: string;
  readonly publicName?: string;
  readonly inputs: AxisContract;
  readonly outputs: AxisContract;
  readonly saved?: AxisContract;
  readonly attributes?: Attributes;
  readonly attributeRules?: Readonly<Record<string, OptionRule | undefined>>;
}

/** Reads a declaration. */
export function parseOperator(spec: Declaration): ParsedOperator {
  return {
    functionName: spec.publicName ?? lowerFirst(spec.name),
    inputs: parseContract(spec.inputs),
    outputs: parseContract(spec.outputs),
    saved: parseContract(spec.saved ?? {}),
    rules: attributeRules(spec),
  };
}

/** Rules of the attributes: those declared, else what the default's type says. */
function attributeRules({ attributes = {}, attributeRules: declared }: Declaration): Record<string, OptionRule> {
  const byType: Record<string, OptionRule> = { boolean: 'boolean', number: 'finite', string: 'string' };
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, declared?.[name] ?? byType[typeof value]!]));
}

/** `Output` as `output`. */
export const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** The name of the gradient of `query`: `dQuery`. */
export const gradientName = (name: string): string => `d${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/** The optional input that an optional output belongs to: `dState` is its gradient, `finalState` what becomes of it. */
export const inputOf = (output: string): string => lowerFirst(output.replace(/^(d|final)/, ''));
