/** @throws Error unless rms(actual - expected) / rms(expected) is within the bound. */
export function assertNear(name: string, actual: ArrayLike<number>, expected: ArrayLike<number>, bound: number): void {
  let [error, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i]! - expected[i]!) ** 2;
    size += expected[i]! ** 2;
  }
  const ratio = Math.sqrt(error / size);
  if (actual.length !== expected.length || !(ratio <= bound)) {
    throw new Error(`${name} is wrong: relative rms error ${ratio.toExponential(2)}, bound ${bound.toExponential(0)}`);
  }
}
