import type { Tensor } from '@tensorflow/tfjs-core';
import { checkOptions, show } from '../check-options';
import { OptionError, ShapeError } from '../errors';
import { axisLabels } from './axis-labels';
import { floatShape } from './checked-axes';
import { einsumFor } from './einsum';

/** A small core tensor, multiplied along each mode by a factor. */
export interface TuckerTensor {
  /** One axis per factor, its sizes the ranks. */
  readonly core: Tensor;
  /** Per mode a matrix `[size, rank of that mode]`. */
  readonly factors: readonly Tensor[];
}

/**
 * The tensor of a Tucker decomposition.
 *
 * $$ T = G \times_1 A^{(1)} \times_2 A^{(2)} \dots $$
 *
 * @param tucker - `core` of shape `[rank1, rank2, ...]` and `factors`, per mode `[size, rank]`.
 * @returns One axis per factor. New tensor; the caller disposes it.
 * @throws ShapeError if a factor does not fit its axis of the core; OptionError if there are not as many factors as axes.
 * @remarks Contracted in the order of least work. Differentiable in the core and the factors.
 * @see Kolda and Bader 2009, section 4, https://doi.org/10.1137/07070111X; TensorLy, `tucker_to_tensor`
 * @example
 * const t = tuckerToTensor({ core: tf.ones([2, 2]), factors: [tf.ones([5, 2]), tf.ones([6, 2])] }); // [5, 6]
 */
export function tuckerToTensor(tucker: TuckerTensor): Tensor {
  if (typeof tucker !== 'object' || tucker === null) {
    throw new OptionError(`tuckerToTensor: tucker must be {core, factors}, got ${show(tucker)}`);
  }
  checkOptions('tuckerToTensor', tucker, { core: 'tensor', factors: 'unchecked' });
  const { core, factors } = tucker;
  const ranks = floatShape('tuckerToTensor', 'core', core);
  if (!Array.isArray(factors) || factors.length !== ranks.length) {
    const found = Array.isArray(factors) ? factors.length : show(factors);
    throw new OptionError(
      `tuckerToTensor: factors must be an array of ${ranks.length} matrices, one per axis of core, got ${found}`,
    );
  }
  const labels = axisLabels('tuckerToTensor', 2 * ranks.length);
  const [inner, modes] = [labels.slice(0, ranks.length), labels.slice(ranks.length)];
  const operands: Record<string, Tensor> = { core };
  factors.forEach((factor: Tensor, mode) => {
    const shape = floatShape('tuckerToTensor', `factors[${mode}]`, factor);
    if (shape.length !== 2 || shape[1] !== ranks[mode]) {
      const rule = `must have shape [size, ${ranks[mode]}] for core [${ranks.join(', ')}]`;
      throw new ShapeError(`tuckerToTensor: factors[${mode}] ${rule}, got [${shape.join(', ')}]`);
    }
    operands[`factors[${mode}]`] = factor;
  });
  const terms = [inner.join(''), ...inner.map((label, mode) => `${modes[mode]}${label}`)];
  return einsumFor('tuckerToTensor', `${terms.join(',')}->${modes.join('')}`, operands);
}
