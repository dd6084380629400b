import { OptionError, ShapeError, svd64 } from '@mixfold/tensor-ops';
import { type Tensor3D, tensor3d } from '@tensorflow/tfjs-core';
import { product, transposed } from '../measure/matrix64';
import { parts, readValues } from '../measure/read-values';

/** Between numbers of float32: a singular value this much below the largest, times the longer side, is rounding. */
const FLOAT32_EPSILON = 2 ** -23;

/**
 * Brings subspaces back to orthonormal columns, each head by itself: to the closest ones there are (the polar factor), which span the same space. A retraction: after a
 * step of training it puts the weights where the theory has them.
 *
 * $$ U_k \mapsto U_k (U_k^\top U_k)^{-1/2} $$
 *
 * @param subspaces - `[heads, dim, headDim]`, float32, with `headDim` at most `dim`.
 * @returns `[heads, dim, headDim]`. New tensor; the caller disposes it. Orthonormal subspaces come back as they are, to rounding.
 * @throws ShapeError if `headDim` is above `dim`; DTypeError, also for numbers that are not finite; OptionError naming the head whose columns depend on each other, for they
 *   span too little to be made orthonormal.
 * @remarks O(heads (dim headDim^2 + headDim^3)), in float64. Reads the tensor back; has no gradient. `orthonormalityPenalty` is the soft form.
 * @see Higham 1986, https://doi.org/10.1137/0907079
 * @example
 * const next = await orthonormalize(subspaces); // after optimizer.minimize(...): subspaces.assign(next)
 */
export async function orthonormalize(subspaces: Tensor3D): Promise<Tensor3D> {
  const values = await readValues('orthonormalize', 'subspaces', subspaces, ['heads dim headDim']);
  const [heads, dim, headDim] = values.shape as [number, number, number];
  if (headDim > dim) {
    throw new ShapeError(
      `orthonormalize: ${headDim} columns of ${dim} numbers cannot be orthonormal, got [${heads}, ${dim}, ${headDim}]`,
    );
  }
  const data = new Float32Array(values.data.length);
  for (const [head, matrix] of parts(values).entries()) {
    const { u, s, v } = svd64(matrix);
    const [largest, smallest] = [s[0] ?? 0, s[headDim - 1] ?? 0];
    const floor = dim * FLOAT32_EPSILON * largest;
    if (headDim > 0 && smallest <= floor) {
      const rank = s.filter((value) => value > floor).length;
      throw new OptionError(
        `orthonormalize: the ${headDim} columns of head ${head} must be independent, got rank ${rank} (singular values from ${smallest.toPrecision(2)} to ${largest.toPrecision(2)}); ` +
          'draw the head anew',
      );
    }
    data.set(product(u, transposed(v)).data, head * dim * headDim);
  }
  return tensor3d(data, [heads, dim, headDim]);
}
