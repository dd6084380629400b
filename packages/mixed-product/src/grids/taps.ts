import { checkOptions, OptionError } from '@mixfold/tensor-ops';

/** What lies beyond the ends of a grid, as frameworks name it. */
export type GridPadding = 'same' | 'valid' | 'causal' | number;

/** One axis of a grid convolution. */
export interface GridAxis {
  readonly length: number;
  readonly window: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padding: GridPadding;
}

/** The positions that an axis gives out, and the zeros before its first. */
export interface AxisGeometry extends GridAxis {
  readonly outputLength: number;
  readonly before: number;
}

/**
 * The geometry of an axis: `'same'` gives `ceil(length / stride)` positions with the zeros split evenly, the odd one behind, as TensorFlow does;
 * `'valid'` only windows inside; `'causal'` all zeros before, `'same'` in number; a number that many zeros on each side, as PyTorch does.
 */
export function axisGeometry(functionName: string, axis: GridAxis): AxisGeometry {
  const { length, window, stride, dilation, padding } = axis;
  const reach = (window - 1) * dilation;
  if (padding === 'same' || padding === 'causal') {
    const outputLength = Math.ceil(length / stride);
    const zeros = Math.max((outputLength - 1) * stride + reach + 1 - length, 0);
    return { ...axis, outputLength, before: padding === 'causal' ? reach : Math.floor(zeros / 2) };
  }
  const before = padding === 'valid' ? 0 : padding;
  const outputLength = Math.floor((length + 2 * before - reach - 1) / stride) + 1;
  if (outputLength < 1) {
    throw new OptionError(
      `${functionName}: a window of ${window} with dilation ${dilation} reaches over ${reach + 1} positions, more than the ${length + 2 * before} there are; ` +
        "use padding 'same' or a smaller window",
    );
  }
  return { ...axis, outputLength, before };
}

/** The input position that tap `tap` of output position `at` reads, or -1 beyond the ends. */
export function positionOf({ length, stride, dilation, before }: AxisGeometry, at: number, tap: number): number {
  const position = at * stride + tap * dilation - before;
  return position >= 0 && position < length ? position : -1;
}

/** @throws OptionError for sizes that are no integers above 0, or another padding. */
export function checkAxis(functionName: string, { length, window, stride, dilation, padding }: GridAxis): void {
  checkOptions(
    functionName,
    { length, window, stride, dilation },
    { length: 'positiveInteger', window: 'positiveInteger', stride: 'positiveInteger', dilation: 'positiveInteger' },
  );
  if (length === undefined || window === undefined) throw new OptionError(`${functionName}: length and window are needed`);
  if (
    typeof padding === 'number'
      ? !(Number.isSafeInteger(padding) && padding >= 0)
      : !['same', 'valid', 'causal'].includes(padding)
  ) {
    throw new OptionError(
      `${functionName}: option padding must be 'same', 'valid', 'causal' or an integer, 0 or above, got ${padding}`,
    );
  }
}
