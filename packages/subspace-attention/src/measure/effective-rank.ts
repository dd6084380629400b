import { svd64 } from '@mixfold/tensor-ops';
import { asBatch, parts, readValues, unlessBatched, type Values } from './read-values';

/**
 * The effective rank of tokens: in how many directions their energy lies, from 1 up to `min(tokens, dim)`.
 *
 * $$ \exp\Big(-\sum_i p_i \log p_i\Big), \qquad p_i = \sigma_i^2 / \textstyle\sum_j \sigma_j^2 $$
 *
 * @param tokens - `[tokens, dim]` or `[batch, tokens, dim]`; a tensor, or float64 numbers with their shape.
 * @returns A number, or one per sample of a batch; 0 for tokens of 0. A fall to 1 through the layers is the collapse of a deep attention stack.
 * @throws ShapeError; DTypeError, also for numbers that are not finite.
 * @remarks O(tokens dim min(tokens, dim)). Reads the tensor back.
 * @see Roy and Vetterli 2007, with squared singular values
 */
export async function effectiveRank(tokens: Values): Promise<number | number[]> {
  const values = asBatch(await readValues('effectiveRank', 'tokens', tokens, ['tokens dim', 'batch tokens dim']));
  const ranks = parts(values).map((sample) => {
    const energies = svd64(sample).s.map((value) => value * value);
    const total = energies.reduce((sum, energy) => sum + energy, 0);
    if (total === 0) return 0;
    const entropy = energies.reduce((sum, energy) => (energy === 0 ? sum : sum - (energy / total) * Math.log(energy / total)), 0);
    return Math.exp(entropy);
  });
  return unlessBatched(tokens, ranks);
}

/**
 * The share of zeros among the numbers of tokens, as after ISTA's ReLU: 0 for dense tokens, 1 for tokens of 0.
 *
 * @param tokens - of any shape; a tensor, or float64 numbers with their shape.
 * @returns A number from 0 to 1; NaN if there are no numbers.
 * @throws DTypeError, also for numbers that are not finite.
 */
export async function sparsity(tokens: Values): Promise<number> {
  const { data } = await readValues('sparsity', 'tokens', tokens, [
    'tokens',
    'tokens dim',
    'batch tokens dim',
    'batch height width dim',
  ]);
  return data.reduce((zeros, x) => zeros + (x === 0 ? 1 : 0), 0) / data.length;
}
