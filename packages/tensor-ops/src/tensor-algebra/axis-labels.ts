import { ShapeError } from '../errors';

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** `count` labels of einsum, of which the first is the one numbered `from`. */
export function axisLabels(functionName: string, count: number, from = 0): string[] {
  if (from + count > letters.length) throw new ShapeError(`${functionName}: more than ${letters.length} axes`);
  return [...letters.slice(from, from + count)];
}

/** The labels that pass a test, in their order. */
export const keepLabels = (labels: string, test: (label: string) => boolean): string => [...labels].filter(test).join('');

/** The shape that labels have; axes without a size are no longer than 1. */
export const shapeOfLabels = (labels: string, sizes: Readonly<Record<string, number>>): number[] =>
  [...labels].map((label) => sizes[label] ?? 1);

/** `labels` cut into runs of equal `kind`. */
export function labelRuns(labels: string, kind: (label: string) => number | boolean): string[] {
  const runs: string[] = [];
  for (const label of labels) {
    const run = runs.at(-1);
    if (run !== undefined && kind(run[0]!) === kind(label)) runs[runs.length - 1] = run + label;
    else runs.push(label);
  }
  return runs;
}
