import { assertClose, type ClosenessBound, rms } from './assert-close';
import { gradientFloor, type Tolerance } from './tolerances';
import { readValues, type Values } from './values';

/**
 * Fails unless the output and every gradient of a call are within the tolerance of those of a reference.
 *
 * @param actual - `output`, and gradients by name. What `expected` has beside them is not looked at.
 * @param rule - `relative` for what a backend promises, `largest` for hostile inputs.
 * @throws ClosenessError naming the first that is not, and its worst element.
 */
export async function assertAgrees(
  { output, ...gradients }: { readonly output: Values } & Readonly<Record<string, Values>>,
  expected: { readonly output: Values },
  tolerance: Tolerance,
  rule: 'relative' | 'largest' = 'relative',
): Promise<void> {
  await assertClose('output', output, expected.output, { [rule]: tolerance.forward });
  await assertGradients(gradients, expected, { [rule]: tolerance.gradient });
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
