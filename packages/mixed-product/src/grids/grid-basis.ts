import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import type { ConvolutionBasis } from '../basis/convolution-basis';
import { basisOfEdges, readWeight } from '../basis/sparse-basis';
import { type AxisGeometry, axisGeometry, checkAxis, type GridPadding, positionOf } from './taps';

/** A convolution over a line. */
export interface GridOptions1d {
  /** Input positions. */
  readonly length: number;
  /** Taps. */
  readonly window: number;
  /** Positions from one output to the next. Default 1. */
  readonly stride?: number | undefined;
  /** Positions from one tap to the next. Default 1. */
  readonly dilation?: number | undefined;
  /** Default `'same'`. */
  readonly padding?: GridPadding | undefined;
}

type Pair<Value> = Value | readonly [Value, Value];

/** A convolution over an image; a number goes for both axes, height first. */
export interface GridOptions2d {
  readonly height: number;
  readonly width: number;
  readonly window: Pair<number>;
  readonly stride?: Pair<number> | undefined;
  readonly dilation?: Pair<number> | undefined;
  /** Default `'same'`; `'causal'` is refused, for a grid has no order in time. */
  readonly padding?: Pair<Exclude<GridPadding, 'causal'>> | undefined;
}

/**
 * The taps of a convolution over a line: `A_j[m, n]` is 1 where `m = n stride + j dilation - before`, what lies beyond the ends is 0. The kernel of a
 * framework's conv1d, `[window, P, Q]`, is the parameter as it stands (a cross-correlation: with padding `'same'` and stride 1 tap j is the shift by
 * `before - j dilation`).
 *
 * @param options - `length`, `window`, `stride`, `dilation`, `padding`: `'same'` (default), `'valid'`, `'causal'`, or zeros on each side.
 * @returns The basis, a term per tap.
 * @throws OptionError for sizes that are not integers above 0, or a window that does not fit.
 * @remarks O(window outputs) per channel, whatever stride and dilation.
 * @example
 * const y = generalizedConvolution(x, gridBasis1d({ length: 100, window: 5, dilation: 2, padding: 'causal' }), kernel);
 */
export function gridBasis1d(options: GridOptions1d): ConvolutionBasis {
  const rules = {
    length: 'positiveInteger',
    window: 'positiveInteger',
    stride: 'positiveInteger',
    dilation: 'positiveInteger',
  } as const;
  checkOptions('gridBasis1d', options, { ...rules, padding: 'unchecked' });
  const { length, window, stride = 1, dilation = 1, padding = 'same' } = options;
  const axis = { length, window, stride, dilation, padding };
  checkAxis('gridBasis1d', axis);
  const line = { length: 1, window: 1, stride: 1, dilation: 1, padding: 'valid' } as const;
  return basisOfTaps('gridBasis1d', axisGeometry('gridBasis1d', line), axisGeometry('gridBasis1d', axis));
}

/**
 * The taps of a convolution over an image, nodes in rows: the products of those of its axes, tap `(i, j)` being term `i windowWidth + j`. The kernel of a
 * framework's conv2d, `[windowHeight, windowWidth, P, Q]`, is the parameter once its first two axes are one.
 *
 * @param options - `height`, `width`, `window`, `stride`, `dilation`, `padding`; a number goes for both axes, or `[height, width]`.
 * @returns The basis, a term per tap, to `outputHeight outputWidth` nodes.
 * @throws OptionError as `gridBasis1d`.
 * @remarks O(taps outputs) per channel.
 * @example
 * const basis = gridBasis2d({ height: 8, width: 8, window: 3, stride: 2 });
 */
export function gridBasis2d(options: GridOptions2d): ConvolutionBasis {
  const unchecked = { window: 'unchecked', stride: 'unchecked', dilation: 'unchecked', padding: 'unchecked' } as const;
  checkOptions('gridBasis2d', options, { height: 'positiveInteger', width: 'positiveInteger', ...unchecked });
  const { height, width, window, stride = 1, dilation = 1, padding = 'same' } = options;
  const axes = [height, width].map((length, i) => {
    const own = <Value>(value: Pair<Value>): Value => (Array.isArray(value) ? value[i] : value) as Value;
    const axis = {
      length,
      window: own(window),
      stride: own(stride),
      dilation: own(dilation),
      padding: own<GridPadding>(padding),
    };
    checkAxis('gridBasis2d', axis);
    if (axis.padding === 'causal')
      throw new OptionError("gridBasis2d: a grid has no order in which to be causal; pad with 'same' or a number");
    return axisGeometry('gridBasis2d', axis);
  });
  return basisOfTaps('gridBasis2d', axes[0]!, axes[1]!);
}

/** An edge of weight 1 per output and tap that reads inside. */
function basisOfTaps(name: string, rows: AxisGeometry, columns: AxisGeometry): ConvolutionBasis {
  const ends = { source: [] as number[], target: [] as number[], term: [] as number[] };
  for (let i = 0; i < rows.outputLength; i++) {
    for (let j = 0; j < columns.outputLength; j++) {
      for (let k = 0; k < rows.window * columns.window; k++) {
        const row = positionOf(rows, i, Math.floor(k / columns.window));
        const column = positionOf(columns, j, k % columns.window);
        if (row < 0 || column < 0) continue;
        ends.source.push(row * columns.length + column);
        ends.target.push(i * columns.outputLength + j);
        ends.term.push(k);
      }
    }
  }
  const edges = {
    source: Int32Array.from(ends.source),
    target: Int32Array.from(ends.target),
    term: Int32Array.from(ends.term),
    inputSize: rows.length * columns.length,
    outputSize: rows.outputLength * columns.outputLength,
    terms: rows.window * columns.window,
  };
  return basisOfEdges(name, edges, readWeight(name, undefined, ends.source.length));
}
