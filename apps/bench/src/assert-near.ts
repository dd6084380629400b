/** How near is near: a bound on rms(error) / max(rms(expected), floor). An rms error up to 1e-7 passes, as in the tests of the packages. */
export interface Nearness {
  readonly relative: number;
  readonly floor?: number;
}

/**
 * Compares millions of numbers in no time.
 *
 * @throws Error naming the worst element unless `actual` is finite and near enough.
 */
export function assertNear(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, bound: number | Nearness): void {
  const { relative, floor = 0 } = typeof bound === 'number' ? { relative: bound } : bound;
  if (actual.length !== expected.length)
    throw new Error(`${name} is wrong: ${actual.length} numbers, expected ${expected.length}`);
  let [squares, size, worst] = [0, 0, 0];
  for (let i = 0; i < expected.length; i++) {
    const error = actual[i]! - expected[i]!;
    squares += error * error;
    size += expected[i]! * expected[i]!;
    // A NaN is the worst there is.
    if (!(Math.abs(error) <= Math.abs(actual[worst]! - expected[worst]!))) worst = i;
  }
  const rmsError = Math.sqrt(squares / expected.length);
  if (expected.length === 0 || rmsError <= 1e-7) return;
  const ratio = rmsError / Math.max(Math.sqrt(size / expected.length), floor);
  if (ratio <= relative) return;
  throw new Error(
    `${name} is wrong: relative rms error ${ratio.toExponential(2)}, bound ${relative.toExponential(0)}; worst at ${worst}: ` +
      `${actual[worst]} for ${expected[worst]}`,
  );
}

/** Root of the mean square. */
export function rms(data: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
  return data.length === 0 ? 0 : Math.sqrt(sum / data.length);
}
