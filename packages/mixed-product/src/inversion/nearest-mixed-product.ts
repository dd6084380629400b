import { checkOptions, checkTensor, OptionError, svd64 } from '@mixfold/tensor-ops';
import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import { readRows, sizeOf } from './leading-axes';

/** A mixed product of few terms, and how far it is from the tensor it stands for. */
export interface NearestMixedProduct {
  /** `[terms, ...S]`, orthonormal. The caller disposes it. */
  readonly basis: Tensor;
  /** `[terms, ...T]`, orthogonal, the longest first. The caller disposes it. */
  readonly theta: Tensor;
  /** Of the unfolded tensor, all of them, the largest first: what further terms would add. */
  readonly singularValues: Float64Array;
  /** The root of the sum of squares of phi - basis o theta. */
  readonly error: number;
}

/**
 * The mixed product of `terms` terms that is nearest to a tensor: it finds the graphs of a structured convolution together with its parameter.
 *
 * @param phi - `[...S, ...T]`, float32.
 * @param options - `leadingAxes`: how many axes S has. `terms`: how many terms to keep, at most the smaller of |S| and |T|.
 * @returns Both factors, every singular value of the unfolding `[|S|, |T|]`, and the error.
 * @throws OptionError for axes or terms that phi does not have; DTypeError.
 * @remarks Reads the tensor and computes in float64, by a singular value decomposition, O(|S| |T| min(|S|, |T|)). The least number of terms that
 *   holds phi exactly is the rank of the unfolding. Not differentiable.
 * @see Van Loan and Pitsianis 1993, Approximation with Kronecker products
 * @example
 * const { basis, theta, error } = await nearestMixedProduct(phi, { leadingAxes: 2, terms: 4 });
 */
export async function nearestMixedProduct(
  phi: Tensor,
  options: { readonly leadingAxes: number; readonly terms: number },
): Promise<NearestMixedProduct> {
  checkOptions('nearestMixedProduct', options, { leadingAxes: 'nonNegativeInteger', terms: 'positiveInteger' });
  checkTensor('nearestMixedProduct', 'phi', phi, ['float32']);
  const { leadingAxes, terms } = options;
  if (leadingAxes === undefined || leadingAxes > phi.rank) {
    throw new OptionError(`nearestMixedProduct: leadingAxes must be 0 to ${phi.rank}, the axes of phi, got ${leadingAxes}`);
  }
  const [left, right] = [phi.shape.slice(0, leadingAxes), phi.shape.slice(leadingAxes)];
  const [rows, columns] = [sizeOf(left), sizeOf(right)];
  const most = Math.min(rows, columns);
  if (terms === undefined || terms > most) {
    throw new OptionError(`nearestMixedProduct: terms must be 1 to ${most}, the smaller side of phi unfolded, got ${terms}`);
  }
  const { u, s, v } = svd64({ shape: [rows, columns], data: (await readRows(phi, rows)).data });
  const basis = Float32Array.from({ length: terms * rows }, (_, i) => u.data[(i % rows) * most + Math.floor(i / rows)]!);
  const theta = Float32Array.from({ length: terms * columns }, (_, i) => {
    const k = Math.floor(i / columns);
    return s[k]! * v.data[(i % columns) * most + k]!;
  });
  let tail = 0;
  for (let k = s.length - 1; k >= terms; k--) tail += s[k]! ** 2;
  return {
    basis: tensor(basis, [terms, ...left]),
    theta: tensor(theta, [terms, ...right]),
    singularValues: s,
    error: Math.sqrt(tail),
  };
}
