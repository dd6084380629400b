import { type Array64, checkOptions, logdet64, OptionError, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { gramOfColumns, product, transposed } from './matrix64';
import { asBatch, parts, readValues, unlessBatched, type Values } from './read-values';

/** How a rate is measured. */
export interface RateOptions {
  /** Squared distortion up to which tokens are coded, above 0. */
  readonly epsilonSquared: number;
  /** `'token'` (default): every token is divided by its norm first. `'none'`: tokens as they are. */
  readonly normalize?: 'token' | 'none' | undefined;
}

/**
 * The coding rate of tokens: nats that it takes to code them up to a distortion, as one Gaussian.
 *
 * $$ R(Z) = \tfrac12 \log\det\left(I + \frac{d}{N \varepsilon^2} Z^\top Z\right) $$
 *
 * @param tokens - `[tokens, dim]` or `[batch, tokens, dim]`; a tensor, or float64 numbers with their shape.
 * @param options - `epsilonSquared`; `normalize`, default `'token'`.
 * @returns A number, or one per sample of a batch, in float64.
 * @throws ShapeError; DTypeError, also for numbers that are not finite; OptionError.
 * @remarks Through the smaller of the two Gram matrices: O(N d min(N, d)). Reads the tensor back. **Normalisation decides what the number says**: layers
 *   that raise the signal-to-noise ratio amplify tokens, so that the rates of tokens as they are *rise* while denoising succeeds; those of normalised tokens
 *   fall. Compare numbers of one normalisation alone.
 * @see Yu et al. 2020, https://arxiv.org/abs/2006.08558
 * @example
 * const rate = await codingRate(tokens, { epsilonSquared: 0.25 });
 */
export function codingRate(tokens: Tensor2D, options: RateOptions): Promise<number>;
export function codingRate(tokens: Tensor3D, options: RateOptions): Promise<number[]>;
export function codingRate(tokens: Values, options: RateOptions): Promise<number | number[]>;
export async function codingRate(tokens: Values, options: RateOptions): Promise<number | number[]> {
  checkRate('codingRate', options);
  const values = asBatch(await readValues('codingRate', 'tokens', tokens, ['tokens dim', 'batch tokens dim']));
  return unlessBatched(
    tokens,
    parts(values).map((sample) => rateOf(prepared(sample, options), sample.shape[1]!, options)),
  );
}

/**
 * The coding rate of tokens by subspaces: what it takes to code each projection by itself.
 *
 * $$ R^c(Z \mid U) = \tfrac12 \sum_k \log\det\left(I + \frac{p}{N \varepsilon^2} U_k^\top Z^\top Z U_k\right) $$
 *
 * @param tokens - `[tokens, dim]` or `[batch, tokens, dim]`; a tensor, or float64 numbers with their shape.
 * @param subspaces - `[heads, dim, headDim]`.
 * @param options - `epsilonSquared`; `normalize`, default `'token'`: see the warning at `codingRate`.
 * @returns A number, or one per sample of a batch, in float64.
 * @throws ShapeError; DTypeError, also for numbers that are not finite; OptionError.
 * @remarks O(heads N p (d + min(N, p))). Reads the tensors back.
 * @see Yu et al. 2023, https://arxiv.org/abs/2306.01129
 */
export function codingRateGiven(tokens: Tensor2D, subspaces: Values, options: RateOptions): Promise<number>;
export function codingRateGiven(tokens: Tensor3D, subspaces: Values, options: RateOptions): Promise<number[]>;
export function codingRateGiven(tokens: Values, subspaces: Values, options: RateOptions): Promise<number | number[]>;
export async function codingRateGiven(tokens: Values, subspaces: Values, options: RateOptions): Promise<number | number[]> {
  const { samples, heads } = await readBoth('codingRateGiven', tokens, subspaces, options);
  return unlessBatched(
    tokens,
    samples.map((sample) => rateGiven(sample, heads, options)),
  );
}

/**
 * The rate reduction of tokens, `R(Z) - R^c(Z | U)`: what there is to gain from knowing the subspaces. Denoising raises it.
 *
 * @param tokens - `[tokens, dim]` or `[batch, tokens, dim]`; a tensor, or float64 numbers with their shape.
 * @param subspaces - `[heads, dim, headDim]`.
 * @param options - `epsilonSquared`; `normalize`, default `'token'`: see the warning at `codingRate`.
 * @returns A number, or one per sample of a batch, in float64.
 * @throws ShapeError; DTypeError, also for numbers that are not finite; OptionError.
 * @see Yu et al. 2020, https://arxiv.org/abs/2006.08558
 */
export function rateReduction(tokens: Tensor2D, subspaces: Values, options: RateOptions): Promise<number>;
export function rateReduction(tokens: Tensor3D, subspaces: Values, options: RateOptions): Promise<number[]>;
export function rateReduction(tokens: Values, subspaces: Values, options: RateOptions): Promise<number | number[]>;
export async function rateReduction(tokens: Values, subspaces: Values, options: RateOptions): Promise<number | number[]> {
  const { samples, heads } = await readBoth('rateReduction', tokens, subspaces, options);
  const reduction = (sample: Array64) => rateOf(sample, sample.shape[1]!, options) - rateGiven(sample, heads, options);
  return unlessBatched(tokens, samples.map(reduction));
}

function checkRate(functionName: string, options: RateOptions): void {
  checkOptions(functionName, options, { epsilonSquared: 'positive', normalize: ['token', 'none'] });
  if (options?.epsilonSquared === undefined) throw new OptionError(`${functionName}: option epsilonSquared is missing`);
}

async function readBoth(functionName: string, tokens: Values, subspaces: Values, options: RateOptions) {
  checkRate(functionName, options);
  const [values, bases] = await Promise.all([
    readValues(functionName, 'tokens', tokens, ['tokens dim', 'batch tokens dim']),
    readValues(functionName, 'subspaces', subspaces, ['heads dim headDim']),
  ]);
  if (values.shape.at(-1) !== bases.shape[1]) {
    throw new ShapeError(`${functionName}: axis 'dim' is ${values.shape.at(-1)} in tokens but ${bases.shape[1]} in subspaces`);
  }
  return { samples: parts(asBatch(values)).map((sample) => prepared(sample, options)), heads: parts(bases) };
}

/** Tokens divided by their norm, if asked; a token of 0 stays 0. */
function prepared({ shape, data }: Array64, { normalize = 'token' }: RateOptions): Array64 {
  if (normalize === 'none') return { shape, data };
  const [count, dim] = shape as [number, number];
  const out = data.slice();
  for (let t = 0; t < count; t++) {
    const row = out.subarray(t * dim, (t + 1) * dim);
    const largest = row.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    if (largest === 0) continue;
    const norm = largest * Math.sqrt(row.reduce((sum, x) => sum + (x / largest) ** 2, 0));
    for (let i = 0; i < dim; i++) row[i]! /= norm;
  }
  return { shape, data: out };
}

function rateGiven(sample: Array64, heads: readonly Array64[], options: RateOptions): number {
  return heads.reduce((sum, head) => sum + rateOf(product(sample, head), head.shape[1]!, options), 0);
}

/** Half the logarithm of det(I + dim / (N epsilonSquared) rows^T rows); det(I + A A^T) = det(I + A^T A). */
function rateOf(rows: Array64, dim: number, { epsilonSquared }: RateOptions): number {
  const [count, columns] = rows.shape as [number, number];
  if (count === 0 || columns === 0) return 0;
  const gram = gramOfColumns(columns <= count ? rows : transposed(rows));
  const size = gram.shape[0]!;
  const matrix = gram.data.map((x, i) => (dim / (count * epsilonSquared)) * x + (i % (size + 1) === 0 ? 1 : 0));
  return logdet64({ shape: [size, size], data: matrix }).logAbs / 2;
}
