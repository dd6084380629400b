import type { Attributes } from '@mixfold/tensor-ops';
import { add, concat, pad, reshape, reverse, slice, sum, type Tensor, type Tensor3D, tile, zeros } from '@tensorflow/tfjs-core';
import { type Boundary, runsOf } from '../boundary';
import { layoutOf } from './layout';

/** `x` `[outer, length, inner]` shifted along its middle axis. */
export function shifted(x: Tensor3D, offset: number, boundary: Boundary): Tensor3D {
  const [outer, length, inner] = x.shape;
  const parts: Tensor3D[] = [];
  let filled = 0;
  const fillTo = (target: number) => {
    if (target > filled) parts.push(zeros([outer, target - filled, inner]));
  };
  const runs = runsOf(offset, length, boundary).sort((a, b) => a.target - b.target);
  for (const { target, count, source, step } of runs) {
    fillTo(target);
    if (step === 0) parts.push(tile(slice(x, [0, source, 0], [outer, 1, inner]), [1, count, 1]));
    else if (step === 1) parts.push(slice(x, [0, source, 0], [outer, count, inner]));
    else parts.push(reverse(slice(x, [0, source - count + 1, 0], [outer, count, inner]), 1));
    filled = target + count;
  }
  fillTo(length);
  return parts.length === 1 ? parts[0]! : concat(parts, 1);
}

/** The adjoint of `shifted`: every target's gradient goes back to what it read. */
export function shiftedBack(dOutput: Tensor3D, offset: number, boundary: Boundary): Tensor3D {
  if (boundary === 'zero' || boundary === 'circular') return shifted(dOutput, -offset, boundary);
  const [outer, length, inner] = dOutput.shape;
  let total: Tensor3D | undefined;
  for (const { target, count, source, step } of runsOf(offset, length, boundary)) {
    const received = slice(dOutput, [0, target, 0], [outer, count, inner]);
    const part: Tensor3D = step === 0 ? sumOfRows(received) : step === 1 ? received : reverse(received, 1);
    const at = step === -1 ? source - count + 1 : source;
    const placed = pad(part, [
      [0, 0],
      [at, length - at - part.shape[1]!],
      [0, 0],
    ]) as Tensor3D;
    total = total === undefined ? placed : (add(total, placed) as Tensor3D);
  }
  return total!;
}

/** The sum along the middle axis, kept with size 1, by blocks of about the square root of its length, so that rounding does not add up. */
function sumOfRows(x: Tensor3D): Tensor3D {
  const [outer, length, inner] = x.shape;
  const block = Math.ceil(Math.sqrt(length));
  const blocks = Math.ceil(length / block);
  const padded = pad(x, [
    [0, 0],
    [0, blocks * block - length],
    [0, 0],
  ]);
  return sum(sum(reshape(padded, [outer, blocks, block, inner]), 2), 1, true);
}

const inLayout = (shift: typeof shifted) => (x: Tensor, attributes: Attributes) => {
  const { outer, length, inner, offset, boundary } = layoutOf(x.shape, attributes);
  return reshape(shift(reshape(x, [outer, length, inner]), offset, boundary), x.shape);
};

/** A shift as slices side by side. */
export function composedShift({ x }: { x: Tensor }, attributes: Attributes): Record<string, Tensor> {
  return { output: inLayout(shifted)(x, attributes) };
}

export function composedShiftBackward({ dOutput }: { dOutput: Tensor }, attributes: Attributes): Record<string, Tensor> {
  return { dX: inLayout(shiftedBack)(dOutput, attributes) };
}
