import { type ArgumentAxes, type BoundAxes, shapeOfAxes } from '../axes';
import type { AnyOperator, Attributes } from './types';

/** What is derived from an operator's declaration once, when it is made. */
export interface ParsedOperator {
  readonly functionName: string;
  readonly inputs: readonly ArgumentAxes[];
  readonly outputs: readonly ArgumentAxes[];
  readonly saved: readonly ArgumentAxes[];
}

/** `Output` as `output`. */
export const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** The name of the gradient of `query`: `dQuery`. */
export const gradientName = (name: string): string => `d${name.charAt(0).toUpperCase()}${name.slice(1)}`;

/** The shapes of the outputs of a call, by name; public ones first, saved ones only if `withSaved`. */
export function outputShapesOf(
  parsed: ParsedOperator,
  bound: BoundAxes,
  isPresent: (input: string) => boolean,
  withSaved: boolean,
): Record<string, number[]> {
  const shapes: Record<string, number[]> = {};
  for (const { name, optional, axes } of withSaved ? [...parsed.outputs, ...parsed.saved] : parsed.outputs) {
    // An optional output is the gradient of an optional input.
    if (!optional || isPresent(lowerFirst(name.slice(1)))) shapes[name] = shapeOfAxes(axes, bound);
  }
  return shapes;
}

/** The axes of a call together with the groups that its operator names by `shapes`. */
export function withNamedShapes(
  { spec }: AnyOperator,
  { sizes, groups }: BoundAxes,
  inputs: Readonly<Record<string, { readonly shape: readonly number[] }>>,
  attributes: Attributes,
): BoundAxes {
  if (spec.shapes === undefined) return { sizes, groups };
  const shapes = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
  return { sizes, groups: { ...groups, ...spec.shapes(shapes, attributes) } };
}
