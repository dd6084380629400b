import { OptionError, ShapeError } from '@mixfold/tensor-ops';

/** Integers on the host: node numbers shape the work, so they are not read back from a device. */
export type Indices = ArrayLike<number>;

/**
 * Node numbers as 32-bit integers.
 *
 * @param below - What every number must be less than.
 * @param sizeName - What the user calls that bound.
 * @throws OptionError for what is no array, or a number out of range.
 */
export function readIndices(functionName: string, name: string, given: unknown, below: number, sizeName: string): Int32Array {
  if (!Array.isArray(given) && !(ArrayBuffer.isView(given) && 'length' in given)) {
    const cure =
      typeof (given as { dataSync?: unknown } | null)?.dataSync === 'function' ? '; give it as await tensor.data()' : '';
    throw new OptionError(`${functionName}: ${name} must be an array of integers${cure}`);
  }
  const values = given as Indices;
  const indices = new Int32Array(values.length);
  for (let e = 0; e < values.length; e++) {
    const index = values[e]!;
    if (!(Number.isInteger(index) && index >= 0 && index < below)) {
      throw new OptionError(
        `${functionName}: ${name}[${e}] is ${index}, but must be an integer from 0 to ${sizeName} - 1 = ${below - 1}`,
      );
    }
    indices[e] = index;
  }
  return indices;
}

/** @throws ShapeError unless both have one number per edge. */
export function checkSameLength(functionName: string, arrays: Readonly<Record<string, { readonly length: number }>>): void {
  const [[first, { length }], ...rest] = Object.entries(arrays) as [
    [string, { length: number }],
    ...[string, { length: number }][],
  ];
  for (const [name, array] of rest) {
    if (array.length !== length) {
      throw new ShapeError(`${functionName}: there are ${length} edges in ${first} but ${array.length} in ${name}`);
    }
  }
}
