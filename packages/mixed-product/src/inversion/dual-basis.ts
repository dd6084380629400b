import { checkOptions, checkTensor, ShapeError } from '@mixfold/tensor-ops';
import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import { describeFamily, type InversionOptions, refuseFamily } from './invert-mixed-product';
import { readRows, sizeOf } from './leading-axes';
import { pseudoInverse } from './pseudo-inverse';

/**
 * The family dual to a family of tensors: `<dual_k, a_l>` is 1 where k = l and else 0, so that `<dual_k, phi>` is the parameter of phi.
 *
 * @param basis - `[terms, ...S]`, float32.
 * @param options - `rcond`; `strict` refuses what is no basis.
 * @returns `[terms, ...S]`. New tensor; the caller disposes it. Of a family that is not independent the pseudo-inverse: it gives the shortest of the
 *   nearest parameters.
 * @throws ShapeError for a scalar; OptionError if `strict` and the family is no basis; DTypeError.
 * @remarks Reads the tensor and computes in float64, as `invertMixedProduct` does. Not differentiable.
 * @example
 * const dual = await dualBasis(basis);
 */
export async function dualBasis(basis: Tensor, options: InversionOptions = {}): Promise<Tensor> {
  checkOptions('dualBasis', options, { rcond: 'nonNegative', strict: 'boolean' });
  checkTensor('dualBasis', 'basis', basis, ['float32']);
  if (basis.rank === 0) throw new ShapeError('dualBasis: basis must have an axis of terms, got a scalar');
  const [terms, ...shape] = basis.shape as [number, ...number[]];
  const size = sizeOf(shape);
  const members = await readRows(basis, terms);
  const { rows, rank } = pseudoInverse({ shape: [terms, size], data: members.data }, options.rcond);
  if (options.strict) refuseFamily('dualBasis', describeFamily(rank, terms, size), rank, terms, size);
  return tensor(Float32Array.from(rows.data), [terms, ...shape]);
}
