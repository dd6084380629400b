import { reshape, type Tensor, transpose, zeros } from '@tensorflow/tfjs-core';
import { linearMap } from './linear-map';

const isSame = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((size, i) => size === b[i]);

/** The same numbers under another shape. */
export function viewAs<Result extends Tensor>(x: Tensor, shape: readonly number[]): Result {
  if (isSame(x.shape, shape)) return x as Result;
  const own = [...x.shape];
  return linearMap(
    [x],
    ([given]) => reshape(given!, [...shape]),
    (dResult) => [reshape(dResult, own)],
  );
}

/** `x` with its axes in another order. */
export function permuted<Result extends Tensor>(x: Tensor, order: readonly number[]): Result {
  // Axes of size 1 may stand anywhere.
  const moving = order.filter((axis) => x.shape[axis] !== 1);
  if (moving.every((axis, i) => i === 0 || moving[i - 1]! < axis)) {
    return viewAs(
      x,
      order.map((axis) => x.shape[axis]!),
    );
  }
  const back = order.map((_, axis) => order.indexOf(axis));
  return linearMap(
    [x],
    ([given]) => transpose(given!, [...order]),
    (dResult) => [transpose(dResult, back)],
  );
}

/** Zeros that hang on the tape: for results that nothing reaches. */
export function zerosOf<Result extends Tensor>(inputs: readonly Tensor[], shape: readonly number[]): Result {
  return linearMap(
    inputs,
    () => zeros([...shape]),
    () => inputs.map((input) => zeros(input.shape)),
  );
}
