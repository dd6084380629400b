import type { Array64 } from '@mixfold/tensor-ops';
import { drawSubspaces } from '../../subspaces/initial-subspaces';
import { codingRate, codingRateGiven, type RateOptions } from '../coding-rate';
import { effectiveRank, sparsity } from '../effective-rank';
import { signalToNoise } from '../signal-to-noise';

/** What the tokens at one place of a model are like, by the subspaces of one layer. Rates and ranks are means over the samples. NaN if there are no tokens. */
export interface TokenFigures {
  /** R, in nats. */
  readonly codingRate: number;
  /** R^c by the layer's subspaces, in nats. */
  readonly codingRateGiven: number;
  /** R - R^c. */
  readonly rateReduction: number;
  /** Of all tokens together: by the labels given, else the proxy of `signalToNoise`. */
  readonly signalToNoise: number;
  /** The proxy by random orthonormal subspaces of the same sizes: what of the ratio is there by construction. Absent where labels were given. */
  readonly signalToNoiseControl?: number | undefined;
  readonly effectiveRank: number;
  /** Share of zeros. */
  readonly sparsity: number;
}

/**
 * @param samples - the tokens of each sample, `[tokens, dim]`, without those that are masked.
 * @param labels - of all tokens of all samples, in order.
 */
export async function figuresOf(
  samples: readonly Array64[],
  subspaces: Array64,
  options: RateOptions,
  labels: readonly number[] | undefined,
): Promise<TokenFigures> {
  const pooled = joined(samples, subspaces.shape[1]!);
  const control = labels ? undefined : (await signalToNoise(pooled, randomSubspaces(subspaces.shape))).overall;
  const rate = await meanOver(samples, (sample) => codingRate(sample, options));
  const given = await meanOver(samples, (sample) => codingRateGiven(sample, subspaces, options));
  return {
    codingRate: rate,
    codingRateGiven: given,
    rateReduction: rate - given,
    signalToNoise: (await signalToNoise(pooled, subspaces, { labels })).overall,
    ...(control === undefined ? {} : { signalToNoiseControl: control }),
    effectiveRank: await meanOver(samples, effectiveRank),
    sparsity: await sparsity(pooled),
  };
}

async function meanOver(samples: readonly Array64[], measure: (sample: Array64) => Promise<number | number[]>): Promise<number> {
  let sum = 0;
  for (const sample of samples) sum += (await measure(sample)) as number;
  return sum / samples.length;
}

function joined(samples: readonly Array64[], dim: number): Array64 {
  const data = new Float64Array(samples.reduce((size, sample) => size + sample.data.length, 0));
  let at = 0;
  for (const sample of samples) {
    data.set(sample.data, at);
    at += sample.data.length;
  }
  return { shape: [dim === 0 ? 0 : data.length / dim, dim], data };
}

/** One that nobody draws a model from. */
const CONTROL_SEED = 271828182845;

function randomSubspaces(shape: readonly number[]): Array64 {
  const [heads, dim, headDim] = shape as [number, number, number];
  const kind = headDim > dim ? 'normal' : 'orthonormal';
  return {
    shape,
    data: Float64Array.from(drawSubspaces('traceLayers', { kind, seed: CONTROL_SEED }, [heads, dim, headDim], dim)),
  };
}
