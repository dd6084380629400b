import {
  concat,
  fill,
  greaterEqual,
  lessEqual,
  logicalAnd,
  matMul,
  pad,
  range,
  reshape,
  slice,
  sub,
  type Tensor,
  type Tensor1D,
  type Tensor2D,
  where,
  zeros,
} from '@tensorflow/tfjs-core';
import { NONE } from '../masked-sources';
import type { Geometry } from './geometry';

/** A bias as the composed forms read it: a rectangle of targets and sources at a time. */
export interface LocalBias {
  /** `[to - from, last - first]` for targets `from` to `to` and sources `first` to `last`; NONE where the bias does not count. */
  rectangle(from: number, to: number, first: number, last: number): Tensor2D;
  /** The gradient of every tensor of the bias, from those of rectangles that cover all targets, and from others that cover all sources. */
  gradients(byTarget: readonly Part[], bySource: readonly Part[]): Record<string, Tensor>;
  /** Whether `gradients` needs the rectangles by source. */
  readonly needsSources: boolean;
}

/** The gradient of one rectangle. */
export interface Part {
  readonly from: number;
  readonly to: number;
  readonly first: number;
  readonly last: number;
  readonly gradient: Tensor2D;
}

/** The tensors that a bias may consist of. */
export interface BiasInputs {
  readonly positionBias?: Tensor2D | undefined;
  readonly u?: Tensor2D | undefined;
  readonly v?: Tensor2D | undefined;
  readonly band?: Tensor2D | undefined;
}

export function localBias(inputs: BiasInputs, geometry: Geometry): LocalBias {
  const { positionBias, u, v, band } = inputs;
  const bias = positionBias ? dense(positionBias, geometry) : u ? factored(u, v!, geometry) : banded(band, geometry);
  return { ...bias, rectangle: (...at) => whereItCounts(bias.rectangle(...at), geometry, at) };
}

function whereItCounts(
  table: Tensor2D,
  { past, reach, causal }: Geometry,
  [from, to, first, last]: [number, number, number, number],
) {
  if (from === to || first === last) return table;
  const target = reshape(range(past + from, past + to), [-1, 1]);
  const distance = sub(range(first, last) as Tensor1D, target);
  const counts = logicalAnd(lessEqual(distance, causal ? Math.min(0, reach) : reach), greaterEqual(distance, -reach));
  return where(counts, table, fill(table.shape, NONE)) as Tensor2D;
}

/** Rows `[position, position + time)` of a gradient, put into zeros of the shape of the whole. */
function inRows(rows: Tensor2D, whole: Tensor2D, position: number): Tensor {
  return pad(rows, [
    [position, whole.shape[0] - position - rows.shape[0]],
    [0, 0],
  ]);
}

function dense(table: Tensor2D, { position, past }: Geometry): LocalBias {
  const shift = position - past;
  return {
    needsSources: false,
    rectangle: (from, to, first, last) => slice(table, [position + from, shift + first], [to - from, last - first]),
    gradients(byTarget) {
      const rows = byTarget.map(({ first, last, gradient }) =>
        pad(gradient, [
          [0, 0],
          [shift + first, table.shape[1] - shift - last],
        ]),
      );
      return { dPositionBias: inRows(concat(rows, 0), table, position) };
    },
  };
}

function factored(u: Tensor2D, v: Tensor2D, { position, past, begin, sources }: Geometry): LocalBias {
  const shift = position - past;
  const targets = (from: number, to: number) => slice(u, [position + from, 0], [to - from, -1]);
  const reached = (first: number, last: number) => slice(v, [shift + first, 0], [last - first, -1]);
  return {
    needsSources: true,
    rectangle: (from, to, first, last) => matMul(targets(from, to), reached(first, last), false, true) as Tensor2D,
    gradients(byTarget, bySource) {
      const dU = byTarget.map(({ first, last, gradient }) => matMul(gradient, reached(first, last)));
      const dV = bySource.map(({ from, to, gradient }) => matMul(gradient, targets(from, to), true));
      const seen = concat(dV, 0);
      return {
        dU: inRows(concat(dU, 0) as Tensor2D, u, position),
        dV: pad(seen, [
          [shift + begin, v.shape[0] - shift - sources],
          [0, 0],
        ]),
      };
    },
  };
}

/** Column `r` of the band stands at source `past + t - reach + r`: row by row the band is a rectangle that is sheared by one column per row. */
function banded(band: Tensor2D | undefined, { position, past, reach }: Geometry): LocalBias {
  const width = 2 * reach + 1;
  return {
    needsSources: false,
    rectangle(from, to, first, last) {
      const count = to - from;
      if (band === undefined) return zeros([count, last - first]);
      const rows = slice(band, [position + from, 0], [count, width]);
      const flat = reshape(
        pad(rows, [
          [0, 0],
          [0, count],
        ]),
        [-1],
      );
      const columns = width + count - 1;
      const sheared = reshape(slice(flat, [0], [count * columns]), [count, columns]);
      return slice(sheared, [0, first - (past + from - reach)], [count, last - first]) as Tensor2D;
    },
    gradients(byTarget) {
      if (band === undefined) return {};
      const rows = byTarget.map(({ from, to, first, last, gradient }) => {
        const count = to - from;
        const columns = width + count - 1;
        const before = first - (past + from - reach);
        const whole = pad(gradient, [
          [0, 0],
          [before, columns - before - (last - first)],
        ]);
        const flat = pad(reshape(whole, [-1]), [[0, count]]);
        return slice(reshape(flat, [count, columns + 1]), [0, 0], [count, width]);
      });
      return { dBand: inRows(concat(rows, 0) as Tensor2D, band, position) };
    },
  };
}
