import { reshape, type Tensor, type Tensor2D, type Tensor3D } from '@tensorflow/tfjs-core';
import { shifted, shiftedBack } from '../shift/composed';
import type { Offset2d, ShiftGeometry } from './geometry';

// As tfjs ops. x is [batch * height * width, dim] before and after.

/** What a term reads of `x` at every place. */
export function readByTerm(x: Tensor2D, { batch, height, width, boundary }: ShiftGeometry, [dy, dx]: Offset2d): Tensor2D {
  const dim = x.shape[1];
  const down = dy === 0 ? x : shifted(reshape(x, [batch, height, width * dim]), dy, boundary);
  const right = dx === 0 ? down : shifted(reshape(down, [batch * height, width, dim]), dx, boundary);
  return reshape(right, x.shape);
}

/** What goes back to x from what a term read: the adjoint. */
export function returnedByTerm(
  received: Tensor2D,
  { batch, height, width, boundary }: ShiftGeometry,
  [dy, dx]: Offset2d,
): Tensor2D {
  const dim = received.shape[1];
  const left = dx === 0 ? received : shiftedBack(reshape(received, [batch * height, width, dim]), dx, boundary);
  const up = dy === 0 ? left : shiftedBack(reshape(left, [batch, height, width * dim]) as Tensor3D, dy, boundary);
  return reshape(up, received.shape);
}

/** A grid as rows. */
export const asRows = (x: Tensor): Tensor2D => reshape(x, [-1, x.shape.at(-1)!]);
