import { checkOptions, checkTensor, OptionError, ShapeError } from '@mixfold/tensor-ops';
import {
  div,
  mean,
  reshape,
  slice,
  type Tensor,
  type Tensor2D,
  type Tensor3D,
  type Tensor4D,
  tensor,
  tidy,
  transpose,
} from '@tensorflow/tfjs-core';
import { diagonalSums } from '../relative-bias/composed';

/** How many pairs of an axis have each offset, from -(length - 1) to length - 1. */
const countsOf = (length: number): number[] =>
  Array.from({ length: 2 * length - 1 }, (_, j) => length - Math.abs(j - (length - 1)));

function checkPatterns(functionName: string, patterns: Tensor): void {
  checkTensor(functionName, 'patterns', patterns, ['float32']);
  if (patterns.rank !== 4) {
    throw new ShapeError(`${functionName}: patterns must have 4 axes [samples heads target source], got ${patterns.rank}`);
  }
  const [samples, , target, source] = patterns.shape as [number, number, number, number];
  if (target !== source || samples === 0 || target === 0) {
    throw new ShapeError(`${functionName}: patterns must be square and not empty, their shape is [${patterns.shape.join(', ')}]`);
  }
}

/**
 * Each head's mean attention by offset, over samples and positions.
 *
 * @param patterns - `[samples, heads, target, source]`, target and source of one length N.
 * @returns `[heads, 2 N - 1]`; column j is the mean over all pairs with target - source = j - (N - 1). The caller disposes it.
 * @throws ShapeError if the patterns are not square or empty; DTypeError.
 * @see Zhai et al. 2021, the average relative attention maps, https://arxiv.org/abs/2105.14103
 * @example
 * const map = averageRelativeMap1d(patterns);
 */
export function averageRelativeMap1d(patterns: Tensor4D): Tensor2D {
  checkPatterns('averageRelativeMap1d', patterns);
  return tidy(() =>
    div(diagonalSums(mean(patterns, 0)), tensor([countsOf(patterns.shape[2])], undefined, 'float32')),
  ) as Tensor2D;
}

/**
 * Each head's mean attention by offset on a grid, over samples and positions: what the head looks at around a place.
 *
 * @param patterns - `[samples, heads, skip + H W, skip + H W]`, places in row-major order.
 * @param grid - `[H, W]`.
 * @param options - `skip`: tokens before the grid that have no place, such as a class token. Default 0.
 * @returns `[heads, 2 H - 1, 2 W - 1]`; entry (i, j) is the mean over all pairs whose offset, target - source, is `(i - (H - 1), j - (W - 1))`. The caller disposes it.
 * @throws ShapeError if the patterns do not fit the grid; OptionError for a grid or skip that is none; DTypeError.
 * @see Zhai et al. 2021, the average relative 2d attention maps of ViT heads, https://arxiv.org/abs/2105.14103
 * @example
 * const map = averageRelativeMap2d(patterns, [14, 14], { skip: 1 });
 */
export function averageRelativeMap2d(
  patterns: Tensor4D,
  [height, width]: readonly [height: number, width: number],
  options: { readonly skip?: number | undefined } = {},
): Tensor3D {
  checkOptions('averageRelativeMap2d', options, { skip: 'nonNegativeInteger' });
  const { skip = 0 } = options;
  for (const size of [height, width]) {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new OptionError(`averageRelativeMap2d: the grid must be two integers above 0, got [${height}, ${width}]`);
    }
  }
  checkPatterns('averageRelativeMap2d', patterns);
  const [, heads, tokens] = patterns.shape;
  const places = height * width;
  if (tokens !== skip + places) {
    throw new ShapeError(
      `averageRelativeMap2d: a grid of ${height} x ${width} and ${skip} skipped make ${skip + places} tokens, patterns have ${tokens}`,
    );
  }
  return tidy(() => {
    const grid = slice(mean(patterns, 0), [0, skip, skip], [heads, places, places]);
    // Along the width first, then along the height.
    const lines = transpose(reshape(grid, [heads * height, width, height, width]), [0, 2, 1, 3]);
    const across = diagonalSums(reshape(lines, [heads * height * height, width, width]));
    const columns = transpose(reshape(across, [heads, height, height, 2 * width - 1]), [0, 3, 1, 2]);
    const both = diagonalSums(reshape(columns, [heads * (2 * width - 1), height, height]));
    const sums = transpose(reshape(both, [heads, 2 * width - 1, 2 * height - 1]), [0, 2, 1]);
    const counts = countsOf(height).map((rows) => countsOf(width).map((inRow) => rows * inRow));
    return div(sums, tensor([counts], undefined, 'float32')) as Tensor3D;
  });
}
