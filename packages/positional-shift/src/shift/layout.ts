import type { Attributes } from '@mixfold/tensor-ops';
import { util } from '@tensorflow/tfjs-core';
import { type Boundary, type Run, reducedOffset, runsOf } from '../boundary';

/** A tensor seen as `[outer, length, inner]`, of which the middle axis is shifted. */
export interface ShiftLayout {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly offset: number;
  readonly boundary: Boundary;
  readonly runs: readonly Run[];
}

export function layoutOf(shape: readonly number[], attributes: Attributes): ShiftLayout {
  const { offset, axis, boundary } = attributes as { offset: number; axis: number; boundary: Boundary };
  const length = shape[axis]!;
  return {
    outer: util.sizeFromShape(shape.slice(0, axis)),
    length,
    inner: util.sizeFromShape(shape.slice(axis + 1)),
    offset: reducedOffset(offset, length, boundary),
    boundary,
    runs: runsOf(offset, length, boundary),
  };
}
