import { OptionError } from '@mixfold/tensor-ops';
import {
  abs,
  expandDims,
  less,
  lessEqual,
  pad,
  range,
  reshape,
  slice,
  sub,
  type Tensor,
  type Tensor2D,
  where,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { PositionBias } from '../position-bias';

/** The window of a bias, undefined if it counts everywhere. A band says its own. */
export function windowOf(positionBias: PositionBias | null, windowSize: number | undefined): number | undefined {
  const columns = (positionBias as { readonly band?: Tensor } | null)?.band?.shape?.[1];
  if (columns === undefined) return windowSize;
  const own = (columns + 1) / 2;
  if (!Number.isInteger(own)) throw new OptionError(`aftAttention: a band has 2 windowSize - 1 columns, got ${columns}`);
  if (windowSize !== undefined && windowSize !== own) {
    throw new OptionError(`aftAttention: windowSize is ${windowSize}, but the band of ${columns} columns belongs to ${own}`);
  }
  return own;
}

/** `[time, time]`, true where the source is not after the target. */
export function sourceBeforeTarget(time: number): Tensor2D {
  const times = range(0, time);
  return lessEqual(expandDims(times, 0), expandDims(times, 1)) as Tensor2D;
}

/** A table `[time, time]` with 0 outside the window, whatever stood there. */
export function withinWindow(table: Tensor2D, windowSize: number): Tensor2D {
  const times = range(0, table.shape[0]);
  const inside = less(abs(sub(expandDims(times, 0), expandDims(times, 1))), windowSize);
  return where(inside, table, zerosLike(table)) as Tensor2D;
}

/**
 * The table `[time, time]` of a band `[time, 2 windowSize - 1]`, 0 outside. Each row is padded by `time` and the rows are read again one element
 * shorter, so that row t moves right by t.
 */
export function bandTable(band: Tensor2D): Tensor2D {
  const [time, columns] = band.shape;
  const width = columns + time;
  const flat = reshape(
    pad(band, [
      [0, 0],
      [0, time],
    ]),
    [time * width],
  );
  const moved = reshape(slice(flat, 0, time * (width - 1)), [time, width - 1]) as Tensor2D;
  return slice(moved, [0, (columns - 1) / 2], [time, time]);
}
