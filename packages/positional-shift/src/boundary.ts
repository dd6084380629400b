import { OptionError } from '@mixfold/tensor-ops';

/**
 * What a shift reads beyond the ends of its axis: zeros, the other end, the nearest place, or the places mirrored at the end, which itself is not
 * repeated.
 */
export type Boundary = 'zero' | 'circular' | 'replicate' | 'reflect';

/** Every boundary; their order is part of the interface of the kernels (`assembly/boundary.ts`). */
export const boundaries = ['zero', 'circular', 'replicate', 'reflect'] as const satisfies readonly Boundary[];

/** The number of a boundary in the kernels. */
export const boundaryCode = (boundary: Boundary): number => boundaries.indexOf(boundary);

/** A stretch of targets, and the sources that they read one after the other. */
export interface Run {
  readonly target: number;
  readonly count: number;
  /** What the first target reads. */
  readonly source: number;
  /** From one target's source to the next one's. */
  readonly step: 1 | 0 | -1;
}

/** The offset that reads the same on an axis of `length`, and is no longer than it. */
export function reducedOffset(offset: number, length: number, boundary: Boundary): number {
  if (length === 0) return 0;
  if (boundary === 'circular') return ((offset % length) + length) % length;
  return Math.max(-length, Math.min(length, offset));
}

/** Which sources the targets of an axis read, `target - offset` where that is inside; targets in none of the runs read zeros. The main run comes first. */
export function runsOf(offset: number, length: number, boundary: Boundary): Run[] {
  const d = reducedOffset(offset, length, boundary);
  const runs: Run[] = [];
  const add = (target: number, count: number, source: number, step: Run['step']) => {
    if (count > 0) runs.push({ target, count, source, step });
  };
  const begin = Math.max(0, d);
  add(begin, length - Math.abs(d), begin - d, 1);
  const [beyond, end] = [Math.abs(d), length + d];
  if (boundary === 'circular') add(0, beyond, length - beyond, 1);
  if (boundary === 'replicate') d > 0 ? add(0, beyond, 0, 0) : add(end, beyond, length - 1, 0);
  if (boundary === 'reflect') d > 0 ? add(0, beyond, d, -1) : add(end, beyond, length - 2, -1);
  return runs;
}

/**
 * Refuses an offset that is no integer, and one that the boundary cannot hold.
 *
 * @param name - of the argument or option, as errors show it.
 * @throws OptionError
 */
export function checkOffset(functionName: string, name: string, offset: unknown, length: number, boundary: Boundary): void {
  if (!Number.isSafeInteger(offset)) {
    throw new OptionError(
      `${functionName}: ${name} must be an integer, got ${String(offset)}; for a real one use fractionalShift`,
    );
  }
  if (boundary === 'reflect' && length > 0 && Math.abs(offset as number) > length - 1) {
    throw new OptionError(
      `${functionName}: boundary 'reflect' holds offsets up to ${length - 1} on an axis of ${length}, ${name} is ${offset}; ` +
        "use a smaller one, or another boundary ('zero', 'circular' and 'replicate' hold any)",
    );
  }
}
