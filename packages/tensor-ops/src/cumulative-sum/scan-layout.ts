import { util } from '@tensorflow/tfjs-core';
/** What `cumulativeSum` sums and how; `axis` may count from the last. */
export type ScanAttributes = {
  readonly axis: number;
  readonly exclusive: boolean;
  readonly reverse: boolean;
};

/** A tensor as `[outer, time, inner]`, time being the axis to sum over. */
export interface ScanLayout {
  readonly axis: number;
  readonly outer: number;
  readonly time: number;
  readonly inner: number;
}

export function scanLayout(shape: readonly number[], axis: number): ScanLayout {
  const at = axis < 0 ? axis + shape.length : axis;
  return {
    axis: at,
    outer: util.sizeFromShape(shape.slice(0, at)),
    time: shape[at]!,
    inner: util.sizeFromShape(shape.slice(at + 1)),
  };
}
