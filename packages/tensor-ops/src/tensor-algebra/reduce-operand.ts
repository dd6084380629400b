import { pad, slice, type Tensor, tile } from '@tensorflow/tfjs-core';
import { keepLabels, labelRuns, shapeOfLabels } from './axis-labels';
import { longLabels, longSizes } from './pair-layout';
import { distinct, sizeOf } from './parse-equation';
import { permuteAxes, permuteLabels, RANK_LIMIT, viewAs } from './permute-axes';
import { sumLabels } from './sum-labels';

type Sizes = Readonly<Record<string, number>>;

/** The first two places of a label that stands twice. */
function repeatedPlaces(labels: string): [first: number, second: number] | undefined {
  const first = [...labels].findIndex((label, place) => labels.indexOf(label, place + 1) > place);
  return first < 0 ? undefined : [first, labels.indexOf(labels[first]!, first + 1)];
}

/** One diagonal: the two axes come first, then the others. */
interface Diagonal {
  readonly before: string;
  readonly order: readonly number[];
  readonly after: string;
}

/** The diagonals to take, one after another, until no label stands twice. */
function diagonalsOf(labels: string): Diagonal[] {
  const steps: Diagonal[] = [];
  for (let before = labels; ; ) {
    const places = repeatedPlaces(before);
    if (places === undefined) return steps;
    const others = [...before].map((_, place) => place).filter((place) => !places.includes(place));
    const after = before[places[0]]! + others.map((place) => before[place]).join('');
    steps.push({ before, order: [...places, ...others], after });
    before = after;
  }
}

/** The diagonal of an `[n, n, ...]` tensor: behind n rows of padding, rows of n + 1 have it in their first column. */
function takeDiagonal(x: Tensor, { order, after }: Diagonal, sizes: Sizes): Tensor {
  const n = sizes[after[0]!]!;
  const rest = sizeOf(after.slice(1), sizes);
  const padded = pad(viewAs(permuteAxes(x, order), [n * n, rest]), [
    [0, n],
    [0, 0],
  ]);
  return viewAs(slice(viewAs(padded, [n, n + 1, rest]), [0, 0, 0], [n, 1, rest]), shapeOfLabels(after, sizes));
}

/** The gradient of `takeDiagonal`: the values on a diagonal, zeros beside it. */
function putDiagonal(y: Tensor, { before, order, after }: Diagonal, sizes: Sizes): Tensor {
  const n = sizes[after[0]!]!;
  const rest = sizeOf(after.slice(1), sizes);
  const padded = pad(viewAs(y, [n, 1, rest]), [
    [0, 0],
    [0, n],
    [0, 0],
  ]);
  const square = slice(viewAs(padded, [n * n + n, rest]), [0, 0], [n * n, rest]);
  const moved = order.map((place) => sizes[before[place]!]!);
  const back = order.map((_, place) => order.indexOf(place));
  return permuteAxes(viewAs(square, moved), back);
}

/** Takes diagonals over repeated labels, sums labels that `yLabels` lacks, and orders the others so. */
export function reduceOperand(x: Tensor, xLabels: string, yLabels: string): Tensor {
  const sizes = longSizes([xLabels, x.shape]);
  const long = longLabels(xLabels, x.shape);
  let reduced = viewAs(x, shapeOfLabels(long, sizes));
  for (const diagonal of diagonalsOf(long)) reduced = takeDiagonal(reduced, diagonal, sizes);
  const labels = diagonalsOf(long).at(-1)?.after ?? long;
  const isKept = (label: string) => yLabels.includes(label);
  const kept = keepLabels(labels, isKept);
  reduced = sumLabels(reduced, labels, isKept, sizes);
  const result = keepLabels(yLabels, (label) => sizes[label] !== undefined);
  return viewAs(permuteLabels(viewAs(reduced, shapeOfLabels(kept, sizes)), kept, result), shapeOfLabels(yLabels, sizes));
}

/** The gradient of `reduceOperand`: repeats along the labels that were summed, puts diagonals back. */
export function expandOperand(y: Tensor, yLabels: string, xLabels: string, xShape: readonly number[]): Tensor {
  const sizes = longSizes([xLabels, xShape]);
  const long = longLabels(xLabels, xShape);
  const diagonals = diagonalsOf(long);
  const labels = diagonals.at(-1)?.after ?? distinct(long);
  const own = keepLabels(yLabels, (label) => sizes[label] !== undefined);
  const isKept = (label: string) => own.includes(label);
  let order = labels;
  if (labelRuns(order, isKept).length > RANK_LIMIT)
    order = keepLabels(labels, isKept) + keepLabels(labels, (label) => !isKept(label));
  const runs = labelRuns(order, isKept);
  const arranged = permuteLabels(viewAs(y, shapeOfLabels(own, sizes)), own, keepLabels(order, isKept));
  const view = viewAs(
    arranged,
    runs.map((run) => (isKept(run[0]!) ? sizeOf(run, sizes) : 1)),
  );
  const repeats = runs.map((run) => (isKept(run[0]!) ? 1 : sizeOf(run, sizes)));
  const whole = repeats.some((count) => count > 1) ? tile(view, repeats) : view;
  let expanded = permuteLabels(viewAs(whole, shapeOfLabels(order, sizes)), order, labels);
  for (const diagonal of diagonals.reverse()) expanded = putDiagonal(expanded, diagonal, sizes);
  return viewAs(expanded, xShape);
}
