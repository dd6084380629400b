import { show } from '../check-options';
import { OptionError } from '../errors';

/** Parallel lines of elements of a tensor `[outer, count, inner]`: rows, if `inner` is 1. */
export interface Lines {
  readonly outer: number;
  readonly count: number;
  readonly inner: number;
}

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);

/**
 * An axis of a tensor counted from the first one.
 *
 * @throws OptionError if the tensor has no such axis.
 */
export function axisOf(functionName: string, axis: unknown, rank: number): number {
  if (Number.isSafeInteger(axis) && (axis as number) >= -rank && (axis as number) < rank) return ((axis as number) + rank) % rank;
  const rule = rank === 0 ? 'x must have at least 1 axis' : `axis must be an integer from ${-rank} to ${rank - 1}`;
  throw new OptionError(`${functionName}: ${rule}, got ${rank === 0 ? 'a scalar' : show(axis)}`);
}

/** The lines of a tensor along one of its axes, which may be counted from the last one. */
export function linesOf(shape: readonly number[], axis: number): Lines {
  const at = axis < 0 ? axis + shape.length : axis;
  return { outer: product(shape.slice(0, at)), count: shape[at]!, inner: product(shape.slice(at + 1)) };
}
