import { checkOptions, checkTensor, matMul, OptionError, ShapeError, softmax } from '@mixfold/tensor-ops';
import { type Tensor2D, type Tensor3D, tensor2d } from '@tensorflow/tfjs-core';
import { type Boundary, boundaries } from '../boundary';
import { shiftConvolutionDepthwise } from '../shift-convolution/shift-convolution-depthwise';

/** Options of `shiftMixture`. */
export interface ShiftMixtureOptions {
  /** The offsets that are mixed, target - source. */
  readonly offsets: readonly number[];
  /** Whether each head's weights go through a softmax over the offsets. Default false: they count as they are. */
  readonly normalize?: boolean | undefined;
  /** What is read beyond the ends. Default `'zero'`. */
  readonly boundary?: Boundary | undefined;
}

/**
 * A learned mixture of shifts per head: every head sums what stands at the offsets before it, with one weight per offset.
 *
 * $$ y_n = \sum_k w_{h,k} \, x_{n - d_k} $$
 *
 * With `normalize` and a window of offsets this is a lightweight convolution.
 *
 * @param x - `[batch, time, dim]`, float32; head h owns the h-th `dim / heads` neighbouring channels.
 * @param weights - `[heads, offsets]`, or logits with `normalize`.
 * @param options - `offsets`, `normalize` (default false), `boundary` (default `'zero'`).
 * @returns `[batch, time, dim]`. New tensor; the caller disposes it.
 * @throws ShapeError if heads do not divide dim, or `weights` has not one column per offset; OptionError as `shiftConvolution`; DTypeError.
 * @remarks O(batch time offsets dim) time. Differentiable in `x` and `weights`.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289; Wu et al. 2019 (lightweight convolutions), https://arxiv.org/abs/1901.10430
 * @example
 * const output = shiftMixture(x, logits, { offsets: causalOffsets(7), normalize: true });
 */
export function shiftMixture(x: Tensor3D, weights: Tensor2D, options: ShiftMixtureOptions): Tensor3D {
  checkOptions('shiftMixture', options, { offsets: 'unchecked', normalize: 'boolean', boundary: boundaries });
  checkTensor('shiftMixture', 'x', x, ['float32']);
  checkTensor('shiftMixture', 'weights', weights, ['float32']);
  const { offsets, normalize = false, boundary = 'zero' } = options ?? {};
  if (x.rank !== 3) throw new ShapeError(`shiftMixture: x must have 3 axes [batch time dim], got ${x.rank}`);
  if (weights.rank !== 2) throw new ShapeError(`shiftMixture: weights must have 2 axes [heads offsets], got ${weights.rank}`);
  const [heads, columns] = weights.shape;
  const dim = x.shape[2];
  if (!Array.isArray(offsets)) throw new OptionError(`shiftMixture: option offsets must be an array of integers, got ${offsets}`);
  if (columns !== offsets.length) {
    throw new ShapeError(`shiftMixture: axis 'offsets' is ${columns} in weights but there are ${offsets.length} offsets`);
  }
  if (heads === 0 || dim % heads !== 0) {
    throw new ShapeError(`shiftMixture: heads must divide dim, got ${heads} rows of weights and dim ${dim}`);
  }
  const mixed = normalize ? softmax(weights, 1) : weights;
  // One row per term, each head's weight once for each of its channels: a product with ones and zeros, whose gradient sums them.
  const owners = ownersOf(heads, dim);
  const theta = matMul(mixed, owners, { transposeA: true }) as Tensor2D;
  const output = shiftConvolutionDepthwise(x, theta, { offsets, boundary });
  for (const made of normalize ? [mixed, owners, theta] : [owners, theta]) made.dispose();
  return output;
}

/** `[heads, dim]`: 1 where the head owns the channel. */
function ownersOf(heads: number, dim: number): Tensor2D {
  const owners = new Float32Array(heads * dim);
  for (let c = 0; c < dim; c++) owners[Math.floor((c * heads) / dim) * dim + c] = 1;
  return tensor2d(owners, [heads, dim]);
}
