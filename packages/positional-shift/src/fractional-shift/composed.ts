import type { Attributes, ComposeCall } from '@mixfold/tensor-ops';
import {
  add,
  cast,
  clipByValue,
  div,
  equal,
  floor,
  gather,
  greater,
  greaterEqual,
  less,
  logicalAnd,
  mul,
  pad,
  range,
  reshape,
  sub,
  sum,
  type Tensor,
  type Tensor1D,
  transpose,
} from '@tensorflow/tfjs-core';
import type { FractionalBoundary } from './fractional-shift';

interface Grid {
  readonly batch: number;
  readonly time: number;
  readonly heads: number;
  readonly headDim: number;
  readonly boundary: FractionalBoundary;
}

function gridOf({ sizes }: ComposeCall, attributes: Attributes): Grid {
  const { batch, time, dim, heads } = sizes as Required<typeof sizes>;
  const { boundary } = attributes as { boundary: FractionalBoundary };
  return { batch: batch!, time: time!, heads: heads!, headDim: dim! / heads!, boundary };
}

/** `[batch, time, dim]` as `[heads, time, batch * headDim]`: what a head does is then a gather of rows. */
const byHead = (x: Tensor, { batch, time, heads, headDim }: Grid): Tensor =>
  reshape(transpose(reshape(x, [batch, time, heads, headDim]), [2, 1, 0, 3]), [heads, time, batch * headDim]);

const fromHeads = (x: Tensor, { batch, time, heads, headDim }: Grid): Tensor =>
  reshape(transpose(reshape(x, [heads, time, batch, headDim]), [2, 1, 0, 3]), [batch, time, heads * headDim]);

/** Each head's rows at `places` `[heads, time]`, whole numbers beyond the axis too; zeros where there are none and `isWithin` asks for it. */
function rowsAt(x: Tensor, places: Tensor, { time, heads, boundary }: Grid, isWithin: boolean): Tensor {
  const turned = boundary === 'circular' ? sub(places, mul(floor(div(add(places, 0.5), time)), time)) : places;
  const inside = clipByValue(turned, 0, time - 1);
  const first = mul(reshape(range(0, heads), [heads, 1]), time);
  const indices = cast(reshape(add(inside, first), [heads * time]), 'int32') as Tensor1D;
  const rows = reshape(gather(reshape(x, [heads * time, -1]), indices), x.shape);
  if (boundary === 'circular' || (boundary === 'replicate' && !isWithin)) return rows;
  const exists = logicalAnd(greaterEqual(places, 0), less(places, time));
  return mul(rows, reshape(cast(exists, 'float32'), [heads, time, 1]));
}

const times = ({ time }: Grid): Tensor => reshape(range(0, time), [1, time]);

/** Offset as whole number `[heads, 1]` and remainder `[heads, 1, 1]`. */
function partsOf(offset: Tensor, { heads }: Grid): { readonly whole: Tensor; readonly rest: Tensor } {
  const whole = floor(offset);
  return { whole: reshape(whole, [heads, 1]), rest: reshape(sub(offset, whole), [heads, 1, 1]) };
}

/** What each place reads at the two neighbouring offsets. */
function neighbours(x: Tensor, whole: Tensor, grid: Grid): [near: Tensor, far: Tensor] {
  const places = sub(times(grid), whole);
  return [rowsAt(x, places, grid, false), rowsAt(x, sub(places, 1), grid, false)];
}

export function composedFractionalShift(
  { x, offset }: { x: Tensor; offset: Tensor },
  attributes: Attributes,
  call: ComposeCall,
): Record<string, Tensor> {
  const grid = gridOf(call, attributes);
  const { whole, rest } = partsOf(offset, grid);
  const [near, far] = neighbours(byHead(x, grid), whole, grid);
  return { output: fromHeads(add(mul(near, sub(1, rest)), mul(far, rest)), grid) };
}

/** The sum along an axis by blocks of about the square root of its length, so that rounding does not add up; the axis is kept with size 1. */
function sumAlongTime(x: Tensor): Tensor {
  const [heads, time, width] = x.shape as [number, number, number];
  const block = Math.ceil(Math.sqrt(time));
  const blocks = Math.ceil(time / block);
  const padded = pad(x, [
    [0, 0],
    [0, blocks * block - time],
    [0, 0],
  ]);
  return sum(sum(reshape(padded, [heads, blocks, block, width]), 2), 1, true);
}

/** What goes back to the places from a shift by whole numbers. */
function returned(received: Tensor, whole: Tensor, grid: Grid): Tensor {
  const { time, heads, boundary } = grid;
  const t = times(grid);
  const main = rowsAt(received, add(t, whole), grid, true);
  if (boundary !== 'replicate') return main;
  const atEnd = (beyond: Tensor, end: number) => {
    const sums = sumAlongTime(mul(received, reshape(cast(beyond, 'float32'), [heads, time, 1])));
    return mul(sums, reshape(cast(equal(t, end), 'float32'), [1, time, 1]));
  };
  const places = sub(t, whole);
  return add(main, add(atEnd(less(places, 0), 0), atEnd(greater(places, time - 1), time - 1)));
}

export function composedFractionalShiftBackward(
  { x, offset, dOutput }: { x: Tensor; offset: Tensor; dOutput: Tensor },
  attributes: Attributes,
  call: ComposeCall,
): Record<string, Tensor> {
  const grid = gridOf(call, attributes);
  const { whole, rest } = partsOf(offset, grid);
  const received = byHead(dOutput, grid);
  const made: Record<string, Tensor> = {};
  if (call.outputShapes.dX) {
    const near = returned(mul(received, sub(1, rest)), whole, grid);
    const far = returned(mul(received, rest), add(whole, 1), grid);
    made.dX = fromHeads(add(near, far), grid);
  }
  if (call.outputShapes.dOffset) {
    const [near, far] = neighbours(byHead(x, grid), whole, grid);
    const perChannel = sumAlongTime(mul(received, sub(far, near)));
    made.dOffset = reshape(sum(perChannel, [1, 2]), offset.shape);
  }
  return made;
}
