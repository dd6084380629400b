import type { Tensor } from '@tensorflow/tfjs-core';
import { checkOptions, show } from '../check-options';
import { OptionError, ShapeError } from '../errors';
import { axisLabels } from './axis-labels';
import { floatShape } from './checked-axes';
import { einsumFor } from './einsum';

/** A tensor as a weighted sum of outer products of the factors' columns. */
export interface CpTensor {
  /** `[rank]`; default ones. */
  readonly weights?: Tensor | undefined;
  /** Per mode a matrix `[size, rank]`. */
  readonly factors: readonly Tensor[];
}

/**
 * The tensor of a CP decomposition.
 *
 * $$ T = \sum_r \lambda_r\, a^{(1)}_r \circ a^{(2)}_r \circ \dots $$
 *
 * @param cp - `factors`, per mode `[size, rank]`, and `weights` `[rank]`.
 * @returns One axis per factor. New tensor; the caller disposes it.
 * @throws ShapeError if a factor is no matrix or has another rank; OptionError without factors.
 * @remarks Contracted in the order of least work. Differentiable in weights and factors.
 * @see Kolda and Bader 2009, section 3, https://doi.org/10.1137/07070111X; TensorLy, `cp_to_tensor`
 * @example
 * const t = cpToTensor({ factors: [tf.ones([2, 5]), tf.ones([3, 5]), tf.ones([4, 5])] }); // [2, 3, 4]
 */
export function cpToTensor(cp: CpTensor): Tensor {
  if (typeof cp !== 'object' || cp === null) throw new OptionError(`cpToTensor: cp must be {weights?, factors}, got ${show(cp)}`);
  checkOptions('cpToTensor', cp, { weights: 'tensor', factors: 'unchecked' });
  const { weights, factors } = cp;
  if (!Array.isArray(factors) || factors.length === 0) {
    throw new OptionError(`cpToTensor: factors must be an array of one matrix or more, got ${show(factors)}`);
  }
  const operands: Record<string, Tensor> = {};
  const terms: string[] = [];
  const [rank, ...labels] = axisLabels('cpToTensor', factors.length + 1) as [string, ...string[]];
  const columns = floatShape('cpToTensor', 'factors[0]', factors[0])[1];
  factors.forEach((factor: Tensor, mode) => {
    const shape = floatShape('cpToTensor', `factors[${mode}]`, factor);
    if (shape.length !== 2 || shape[1] !== columns) {
      const rule = columns === undefined ? '[size, rank]' : `[size, ${columns}]`;
      throw new ShapeError(`cpToTensor: factors[${mode}] must have shape ${rule}, got [${shape.join(', ')}]`);
    }
    operands[`factors[${mode}]`] = factor;
    terms.push(`${labels[mode]}${rank}`);
  });
  if (weights !== undefined) {
    const shape = floatShape('cpToTensor', 'weights', weights);
    if (shape.length !== 1 || shape[0] !== columns) {
      throw new ShapeError(
        `cpToTensor: weights must have shape [${columns}], as the factors have columns, got [${shape.join(', ')}]`,
      );
    }
    operands.weights = weights;
    terms.push(rank);
  }
  return einsumFor('cpToTensor', `${terms.join(',')}->${labels.join('')}`, operands);
}
