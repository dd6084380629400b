import { absoluteRms } from './tolerances';
import { type ReadValues, readValues, type Values } from './values';

/** How close is close. Exactly one of `relative` and `largest` is given. */
export interface ClosenessBound {
  /** Bound on rms(error) / max(rms(expected), rmsFloor). */
  readonly relative?: number;
  /** Bound on max |error| / max(1, max |expected|): the rule for hostile inputs. */
  readonly largest?: number;
  /** An rms error at or below this passes a `relative` bound. Default 1e-7. */
  readonly absolute?: number;
  /** Least denominator of the `relative` bound. Default 0. */
  readonly rmsFloor?: number;
}

/** Thrown by `assertClose`; the message names the tensor, the worst index, both values and the bound. */
export class ClosenessError extends Error {
  override name = 'ClosenessError';
}

/** Root of the mean square. 0 for no values. */
export function rms(data: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
  return data.length === 0 ? 0 : Math.sqrt(sum / data.length);
}

/**
 * Fails unless `actual` is within the bound of `expected`, and if either holds a value that is not finite.
 *
 * @param name - what is compared, for the message: 'output', 'query gradient'.
 * @param actual - a tensor is downloaded, and is not disposed.
 * @throws ClosenessError naming the worst element.
 */
export async function assertClose(name: string, actual: Values, expected: Values, bound: ClosenessBound): Promise<void> {
  const [got, want] = await Promise.all([readValues(actual), readValues(expected)]);
  assertSameSize(name, got, want);
  assertFinite(`${name} (actual)`, got, want.data);
  assertFinite(`${name} (expected)`, want, got.data);

  const error = new Float64Array(got.data.length);
  for (let i = 0; i < error.length; i++) error[i] = got.data[i]! - want.data[i]!;
  const [ratio, limit, rule] = measure(error, want.data, bound);
  if (ratio <= limit) return;
  const worst = indexOfLargest(error);
  throw new ClosenessError(
    `${name}: ${rule} is ${ratio.toExponential(3)}, bound ${limit.toExponential(3)}\n` +
      `  worst at ${place(worst, got.shape ?? want.shape)}: actual ${got.data[worst]}, expected ${want.data[worst]}, ` +
      `error ${error[worst]!.toExponential(3)}\n` +
      `  rms error ${rms(error).toExponential(3)}, rms expected ${rms(want.data).toExponential(3)}, ${error.length} values`,
  );
}

function measure(
  error: Float64Array,
  expected: ArrayLike<number>,
  bound: ClosenessBound,
): [ratio: number, limit: number, rule: string] {
  const { relative, largest, absolute = absoluteRms, rmsFloor = 0 } = bound;
  if ((relative === undefined) === (largest === undefined)) {
    throw new RangeError('assertClose: bound must have one of relative and largest');
  }
  if (largest !== undefined) {
    return [largestMagnitude(error) / Math.max(1, largestMagnitude(expected)), largest, 'max |error| / max(1, max |expected|)'];
  }
  const rmsError = rms(error);
  if (rmsError <= absolute) return [0, relative!, 'rms ratio'];
  return [rmsError / Math.max(rms(expected), rmsFloor), relative!, 'rms ratio'];
}

function assertSameSize(name: string, got: ReadValues, want: ReadValues): void {
  if (got.shape && want.shape && String(got.shape) !== String(want.shape)) {
    throw new ClosenessError(`${name}: shape is [${got.shape}], expected [${want.shape}]`);
  }
  if (got.data.length !== want.data.length) {
    throw new ClosenessError(`${name}: ${got.data.length} values, expected ${want.data.length}`);
  }
}

function assertFinite(name: string, values: ReadValues, other: ArrayLike<number>): void {
  // A plain loop: benchmarks compare tens of millions of values.
  let [first, bad] = [-1, 0];
  for (let i = 0; i < values.data.length; i++) {
    if (Number.isFinite(values.data[i]!)) continue;
    if (bad++ === 0) first = i;
  }
  if (bad === 0) return;
  throw new ClosenessError(
    `${name}: ${values.data[first]} at ${place(first, values.shape)}, the other side has ${other[first]}; ` +
      `${bad} of ${values.data.length} values are not finite`,
  );
}

function indexOfLargest(data: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 1; i < data.length; i++) if (Math.abs(data[i]!) > Math.abs(data[worst]!)) worst = i;
  return worst;
}

function largestMagnitude(data: ArrayLike<number>): number {
  return data.length === 0 ? 0 : Math.abs(data[indexOfLargest(data)]!);
}

function place(flat: number, shape: readonly number[] | undefined): string {
  if (!shape) return `[${flat}]`;
  const index: number[] = [];
  let rest = flat;
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return `[${index.join(', ')}]`;
}
