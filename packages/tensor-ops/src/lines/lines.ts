import { show } from '../check-options';
import { OptionError } from '../errors';

/** Parallel lines of elements of a tensor `[outer, count, inner]`: rows, if `inner` is 1. */
export interface Lines {
  readonly outer: number;
  readonly count: number;
  readonly inner: number;
}

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);

/** An axis counted from the first one, if a tensor of this rank has it: a negative one counts from the end. */
export function axisWithin(axis: unknown, rank: number): number | undefined {
  const has = Number.isSafeInteger(axis) && (axis as number) >= -rank && (axis as number) < rank;
  return has ? ((axis as number) + rank) % rank : undefined;
}

/**
 * An axis of `x` counted from the first one.
 *
 * @throws OptionError if it has no such axis.
 */
export function axisOf(functionName: string, axis: unknown, shape: readonly number[]): number {
  const rank = shape.length;
  const found = axisWithin(axis, rank);
  if (found !== undefined) return found;
  throw new OptionError(
    rank === 0
      ? `${functionName}: x must have at least 1 axis, got a scalar`
      : `${functionName}: axis must be an integer from ${-rank} to ${rank - 1}, got ${show(axis)}\n  x  [${shape.join(', ')}]`,
  );
}

/** The lines of a tensor along one of its axes, which may be counted from the last one. */
export function linesOf(shape: readonly number[], axis: number): Lines {
  const at = axis < 0 ? axis + shape.length : axis;
  return { outer: product(shape.slice(0, at)), count: shape[at]!, inner: product(shape.slice(at + 1)) };
}
