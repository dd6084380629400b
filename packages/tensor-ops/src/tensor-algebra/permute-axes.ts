import { reshape, type Tensor, transpose } from '@tensorflow/tfjs-core';

/** What every backend of tfjs transposes and broadcasts without a slow path of its own. */
export const RANK_LIMIT = 4;

const product = (sizes: readonly number[]) => sizes.reduce((total, size) => total * size, 1);

/** A reshaped view, or the tensor itself if it has that shape. */
export function viewAs(x: Tensor, shape: readonly number[]): Tensor {
  const same = x.shape.length === shape.length && x.shape.every((size, axis) => size === shape[axis]);
  return same ? x : reshape(x, [...shape]);
}

/** `order` cut into runs of axes that stand in a row before and after, axes of size 1 left out. */
function runsOf(shape: readonly number[], order: readonly number[]): number[][] {
  const long = shape.map((_, axis) => axis).filter((axis) => shape[axis] !== 1);
  const runs: number[][] = [];
  for (const axis of order) {
    if (shape[axis] === 1) continue;
    const run = runs.at(-1);
    if (run && long.indexOf(axis) === long.indexOf(run.at(-1)!) + 1) run.push(axis);
    else runs.push([axis]);
  }
  return runs;
}

/**
 * Transposes: axis i of the result is axis `order[i]` of `x`. Axes that stay neighbours move as one, so that few transposes have more than four
 * axes; one that has is done as several that move a single run to the front.
 */
export function permuteAxes(x: Tensor, order: readonly number[]): Tensor {
  const shape = order.map((axis) => x.shape[axis]!);
  const runs = runsOf(x.shape, order);
  if (runs.length < 2) return viewAs(x, shape);
  // The place of each run, in the order of the result, among the runs of x.
  const sorted = [...runs].sort((p, q) => p[0]! - q[0]!);
  const sizeOf = (run: readonly number[]) => product(run.map((axis) => x.shape[axis]!));
  if (runs.length <= RANK_LIMIT) {
    const moved = transpose(
      viewAs(x, sorted.map(sizeOf)),
      runs.map((run) => sorted.indexOf(run)),
    );
    return viewAs(moved, shape);
  }
  let present = sorted;
  let moved = x;
  for (const run of [...runs].reverse()) {
    const place = present.indexOf(run);
    const rest = present.filter((other) => other !== run);
    if (place > 0) {
      const before = product(present.slice(0, place).map(sizeOf));
      const after = product(present.slice(place + 1).map(sizeOf));
      moved = transpose(viewAs(moved, [before, sizeOf(run), after]), [1, 0, 2]);
    }
    present = [run, ...rest];
  }
  return viewAs(moved, shape);
}

/** Brings axes with the labels `from` into the order `to`, a permutation of them. */
export function permuteLabels(x: Tensor, from: string, to: string): Tensor {
  if (from === to) return x;
  return permuteAxes(
    x,
    [...to].map((label) => from.indexOf(label)),
  );
}
