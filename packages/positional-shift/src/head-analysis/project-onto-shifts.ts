import { checkTensor, ShapeError } from '@mixfold/tensor-ops';
import { div, gather, mul, reshape, type Tensor1D, type Tensor2D, tensor1d, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { checkOffset } from '../boundary';
import { diagonalSums } from '../relative-bias/composed';
import { relativePositionBias } from '../relative-bias/relative-position-bias';

/** A pattern as a mixture of shifts. */
export interface ShiftProjection {
  /** One per offset: the mean of its diagonal, which is its coefficient, since shifts of zero boundary are orthogonal. */
  readonly weights: Tensor1D;
  /** `[target, source]`: the nearest mixture of these shifts, in the sum of squares. */
  readonly projection: Tensor2D;
}

/**
 * The nearest mixture of shifts to an attention pattern.
 *
 * @param pattern - `[target, source]`, square.
 * @param offsets - Which shifts, target - source, each once.
 * @returns `weights` `[offsets]` and `projection` `[target, source]`; new tensors, which the caller disposes.
 * @throws ShapeError if the pattern is not square; OptionError if an offset is no integer; DTypeError. An offset beyond the pattern has weight 0.
 * @see Andreoli 2019, the inversion property of a shift basis, https://arxiv.org/abs/1905.01289
 * @example
 * const { weights } = projectOntoShifts(pattern, [0, 1, 2]);
 */
export function projectOntoShifts(pattern: Tensor2D, offsets: readonly number[]): ShiftProjection {
  checkTensor('projectOntoShifts', 'pattern', pattern, ['float32']);
  const [n, sources] = pattern.shape;
  if (pattern.rank !== 2 || n !== sources || n === 0) {
    throw new ShapeError(`projectOntoShifts: pattern must be [target source], square, got [${pattern.shape.join(', ')}]`);
  }
  for (const [i, offset] of offsets.entries()) checkOffset('projectOntoShifts', `offsets[${i}]`, offset, n, 'zero');
  const columns = 2 * n - 1;
  const column = (offset: number) => offset + n - 1;
  return tidy(() => {
    const counts = Array.from({ length: columns }, (_, j) => n - Math.abs(j - (n - 1)));
    const means = div(diagonalSums(reshape(pattern, [1, n, n])), tensor2d([counts], [1, columns], 'float32')) as Tensor2D;
    const inside = offsets.map((offset) => (Math.abs(offset) < n ? 1 : 0));
    const places = offsets.map((offset, i) => (inside[i] ? column(offset) : 0));
    const picked = gather(reshape(means, [columns]), tensor1d(places, 'int32'));
    const chosen = new Float32Array(columns);
    for (const [i, place] of places.entries()) if (inside[i]) chosen[place] = 1;
    const projection = relativePositionBias(mul(means, tensor2d(chosen, [1, columns])) as Tensor2D, n);
    return {
      weights: mul(picked, tensor1d(inside, 'float32')) as Tensor1D,
      projection: reshape(projection, [n, n]) as Tensor2D,
    };
  });
}
