import {
  add,
  clone,
  concat,
  expandDims,
  mul,
  reshape,
  slice,
  sum,
  type Tensor,
  tile,
  transpose,
  zeros,
} from '@tensorflow/tfjs-core';
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

/** A tensor of its own with the same numbers, on the tape; the gradient of tfjs's `clone` would have to be registered. */
export function copied<Result extends Tensor>(x: Result): Result {
  return linearMap(
    [x],
    ([given]) => clone(given!),
    (dResult) => [clone(dResult)],
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

/** Tensors one behind the other along an axis. */
export function concatenated<Result extends Tensor>(parts: readonly Tensor[], axis: number): Result {
  if (parts.length === 1) return parts[0] as Result;
  const lengths = parts.map(({ shape }) => shape[axis]!);
  return linearMap(
    parts,
    (given) => concat([...given], axis),
    (dResult) => split(dResult, lengths, axis),
  );
}

function split(x: Tensor, lengths: readonly number[], axis: number): Tensor[] {
  let begin = 0;
  return lengths.map((length) => {
    const part = slice(x, ...rangeOf(x.shape, axis, begin, length));
    begin += length;
    return part;
  });
}

function rangeOf(shape: readonly number[], axis: number, begin: number, length: number): [number[], number[]] {
  return [shape.map((_, i) => (i === axis ? begin : 0)), shape.map((size, i) => (i === axis ? length : size))];
}

/** A range of an axis. */
export function sliced<Result extends Tensor>(x: Tensor, axis: number, begin: number, length: number): Result {
  if (begin === 0 && length === x.shape[axis]) return x as Result;
  const shape = [...x.shape];
  const filling = (size: number) => zeros(shape.map((own, i) => (i === axis ? size : own)));
  return linearMap(
    [x],
    ([given]) => slice(given!, ...rangeOf(shape, axis, begin, length)),
    (dResult) => {
      const parts = [filling(begin), dResult, filling(shape[axis]! - begin - length)];
      return [
        concat(
          parts.filter((part) => part.shape[axis]! > 0),
          axis,
        ),
      ];
    },
  );
}

/** a x + b y. */
export function combined<Result extends Tensor>(a: number, x: Result, b: number, y: Result): Result {
  const scaled = (factor: number, given: Tensor) => (factor === 1 ? given : mul(given, factor));
  return linearMap(
    [x, y],
    ([first, second]) => add(scaled(a, first!), scaled(b, second!)),
    (dResult) => [a, b].map((factor) => (factor === 1 ? clone(dResult) : mul(dResult, factor))),
  );
}

/** The sum over an axis, which goes. */
export function summedOver<Result extends Tensor>(x: Tensor, axis: number): Result {
  const count = x.shape[axis]!;
  return linearMap(
    [x],
    ([given]) => sum(given!, axis),
    (dResult) => [repeatedAlong(dResult, axis, count)],
  );
}

/** A new axis along which `x` stands `count` times. */
export function spreadAlong<Result extends Tensor>(x: Tensor, axis: number, count: number): Result {
  return linearMap(
    [x],
    ([given]) => repeatedAlong(given!, axis, count),
    (dResult) => [sum(dResult, axis)],
  );
}

function repeatedAlong(x: Tensor, axis: number, count: number): Tensor {
  const wide = expandDims(x, axis);
  return tile(
    wide,
    wide.shape.map((_, i) => (i === axis ? count : 1)),
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
