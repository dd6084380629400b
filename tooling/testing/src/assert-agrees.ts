import { assertClose, type ClosenessBound, rms } from './assert-close';
import { gradientFloor, type Tolerance } from './tolerances';
import { readValues, type Values } from './values';

/** By relative rms, for what a backend promises, or by the largest error, for hostile inputs. */
export type Agreement = { readonly relative: Tolerance } | { readonly largest: Tolerance };

/**
 * Fails unless the output and every gradient of a call are as close to those of a reference as `bound` says.
 *
 * @param actual - `output`, and gradients by name. What `expected` has beside them is not looked at.
 * @throws ClosenessError naming the first that is not, and its worst element.
 */
export async function assertAgrees(
  { output, ...gradients }: { readonly output: Values } & Readonly<Record<string, Values>>,
  expected: { readonly output: Values },
  bound: Agreement,
): Promise<void> {
  const boundOf = (which: keyof Tolerance) =>
    'largest' in bound ? { largest: bound.largest[which] } : { relative: bound.relative[which] };
  await assertClose('output', output, expected.output, boundOf('forward'));
  await assertGradients(gradients, expected, boundOf('gradient'));
}

/** The same for gradients alone. All are measured against one floor, for one may be all but zero beside the others. */
export async function assertGradients(
  actual: Readonly<Record<string, Values>>,
  expected: object,
  bound: Pick<ClosenessBound, 'relative' | 'largest'>,
): Promise<void> {
  const names = Object.keys(actual);
  const references = expected as Readonly<Record<string, Values>>;
  const values = await Promise.all(names.map((name) => readValues(references[name]!)));
  const rmsFloor = gradientFloor * Math.max(...values.map(({ data }) => rms(data)));
  for (const name of names) await assertClose(name, actual[name]!, references[name]!, { ...bound, rmsFloor });
}

/** What stands in order by names in the same order; names that are left over name nothing. */
export const byName = <T>(names: readonly string[], values: readonly T[]): Record<string, T> =>
  Object.fromEntries(values.map((value, i) => [names[i]!, value]));
