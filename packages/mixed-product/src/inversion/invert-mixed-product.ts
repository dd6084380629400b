import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import { axesBehind, readRows, sizeOf } from './leading-axes';
import { pseudoInverse } from './pseudo-inverse';

/** The parameter of a tensor over a basis, and what is known of both. */
export interface MixedProductInversion {
  /** `[terms, ...T]`; of all solutions the shortest. The caller disposes it. */
  readonly theta: Tensor;
  /** The root of the sum of squares of phi - basis o theta. */
  readonly residualNorm: number;
  /** `residualNorm` over the norm of phi; 0 if phi is 0. */
  readonly relativeResidual: number;
  /** Members of the basis that are independent. */
  readonly rank: number;
  /** The largest first. */
  readonly singularValues: Float64Array;
  /** By how much the inversion may enlarge errors: Infinity for a family that is not independent. */
  readonly conditionNumber: number;
  /** Whether no member depends on the others: theta is then the only one. */
  readonly isIndependent: boolean;
  /** Whether the members span all tensors of their shape: the residual is then 0. */
  readonly spans: boolean;
  /** Both: every phi has one theta, and exactly one. */
  readonly isBasis: boolean;
  /** Whether this theta is the only one of least residual; as `isIndependent`. */
  readonly unique: boolean;
}

/** How `invertMixedProduct` and `dualBasis` take a family that is no basis. */
export interface InversionOptions {
  /** Singular values up to this share of the largest count as 0. Default: the larger side of the unfolded basis times 2^-52. */
  readonly rcond?: number | undefined;
  /** Whether a family that is no basis is refused. Default false: the least-squares answer. */
  readonly strict?: boolean | undefined;
}

/**
 * Finds the parameter of a tensor over a basis: theta such that `mixedProduct(basis, theta)` is phi, or as near to it as the basis can come.
 *
 * @param basis - `[terms, ...S]`, float32.
 * @param phi - `[...S, ...T]`: its axes begin with those of a member of the basis.
 * @param options - `rcond`, `strict`.
 * @returns theta with the residual, the rank and the condition of the problem.
 * @throws ShapeError if phi does not begin with S; OptionError if `strict` and the family is no basis, or for an unknown option; DTypeError.
 * @remarks Reads both tensors and computes in float64: by the members themselves where they are orthogonal, as shifts are (theta is then the mean of a
 *   diagonal), else by a singular value decomposition. O(|S| terms^2 + |S| terms |T|). Not differentiable.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289
 * @example
 * const { theta, isBasis, relativeResidual } = await invertMixedProduct(basis, phi);
 */
export async function invertMixedProduct(
  basis: Tensor,
  phi: Tensor,
  options: InversionOptions = {},
): Promise<MixedProductInversion> {
  checkOptions('invertMixedProduct', options, { rcond: 'nonNegative', strict: 'boolean' });
  const shape = axesBehind('invertMixedProduct', basis, phi);
  const [terms, size, columns] = [basis.shape[0]!, sizeOf(basis.shape.slice(1)), sizeOf(shape)];
  const [members, values] = await Promise.all([readRows(basis, terms), readRows(phi, size)]);
  const inverse = pseudoInverse({ shape: [terms, size], data: members.data }, options.rcond);
  const known = describeFamily(inverse.rank, terms, size);
  if (options.strict) refuseFamily('invertMixedProduct', known, inverse.rank, terms, size);
  const theta = new Float64Array(terms * columns);
  for (let k = 0; k < terms; k++) {
    for (let i = 0; i < size; i++) {
      const weight = inverse.rows.data[k * size + i]!;
      if (weight === 0) continue;
      for (let j = 0; j < columns; j++) theta[k * columns + j]! += weight * values.data[i * columns + j]!;
    }
  }
  const residual = values.data;
  let square = 0;
  for (const value of residual) square += value * value;
  for (let k = 0; k < terms; k++) {
    for (let i = 0; i < size; i++) {
      const weight = members.data[k * size + i]!;
      if (weight === 0) continue;
      for (let j = 0; j < columns; j++) residual[i * columns + j]! -= weight * theta[k * columns + j]!;
    }
  }
  let left = 0;
  for (const value of residual) left += value * value;
  return {
    theta: tensor(Float32Array.from(theta), [terms, ...shape]),
    residualNorm: Math.sqrt(left),
    relativeResidual: square === 0 ? 0 : Math.sqrt(left / square),
    rank: inverse.rank,
    singularValues: inverse.singularValues,
    conditionNumber: known.isIndependent ? inverse.conditionNumber : Number.POSITIVE_INFINITY,
    ...known,
    unique: known.isIndependent,
  };
}

/** What the rank says of a family. */
export function describeFamily(rank: number, terms: number, size: number) {
  return { isIndependent: rank === terms, spans: rank === size, isBasis: rank === terms && rank === size };
}

/** @throws OptionError unless the family is a basis. */
export function refuseFamily(
  functionName: string,
  { isBasis }: { readonly isBasis: boolean },
  rank: number,
  terms: number,
  size: number,
): void {
  if (isBasis) return;
  throw new OptionError(
    `${functionName}: strict asks for a basis, but ${terms} members of rank ${rank} are none of a space of ${size} dimensions; ` +
      'leave strict out for the least-squares answer',
  );
}
