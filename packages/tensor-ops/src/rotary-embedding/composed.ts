import { add, concat, mul, reshape, slice, sub, type Tensor } from '@tensorflow/tfjs-core';
import type { RotaryAttributes } from './rotation-table';

/** Turns the pairs of `x`, backwards for a gradient. The two channels of a pair are told apart by an axis of their own. */
function turn(x: Tensor, table: Tensor, { pairing }: RotaryAttributes, isBackward: boolean): Tensor {
  const [batch, heads, time, headDim] = x.shape as [number, number, number, number];
  const half = headDim / 2;
  const axis = pairing === 'adjacent' ? 3 : 2;
  const pairs = reshape(x, [batch * heads, time, ...(axis === 3 ? [half, 2] : [2, half])]);
  const channel = (which: number) => {
    const begin = [0, 0, 0, 0];
    begin[axis] = which;
    return slice(pairs, begin, [batch * heads, time, ...(axis === 3 ? [half, 1] : [1, half])]);
  };
  const angles = (begin: number) =>
    reshape(slice(table, [0, begin], [time, half]), [time, ...(axis === 3 ? [half, 1] : [1, half])]);
  const [a, b, cosine, sine] = [channel(0), channel(1), angles(0), angles(half)];
  const [across, along] = [mul(b, sine), mul(a, sine)];
  const turned = isBackward
    ? [add(mul(a, cosine), across), sub(mul(b, cosine), along)]
    : [sub(mul(a, cosine), across), add(mul(b, cosine), along)];
  return reshape(concat(turned, axis), x.shape);
}

export function composedRotary({ x, table }: { x: Tensor; table: Tensor }, attributes: RotaryAttributes): Record<string, Tensor> {
  return { output: turn(x, table, attributes, false) };
}

export function composedRotaryBackward(
  { table, dOutput }: { table: Tensor; dOutput: Tensor },
  attributes: RotaryAttributes,
): Record<string, Tensor> {
  return { dX: turn(dOutput, table, attributes, true) };
}
