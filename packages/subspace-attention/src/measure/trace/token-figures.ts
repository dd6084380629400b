import type { Array64 } from '@mixfold/tensor-ops';
import { drawSubspaces } from '../../subspaces/initial-subspaces';
import { codingRate, codingRateGiven, type RateOptions } from '../coding-rate';
import { effectiveRank, sparsity } from '../effective-rank';
import { parts } from '../read-values';
import { ratiosBySpans } from '../signal-to-noise';
import { spanOf } from '../span';

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

/** Figures that no subspace has a part in. */
type OwnFigures = Pick<TokenFigures, 'codingRate' | 'effectiveRank' | 'sparsity'>;

/** Measures tokens from layer to layer. What leaves one layer enters the next as a rule, and random subspaces of one size serve all layers: neither is measured twice. */
export class FigureMeter {
  readonly #options: RateOptions;
  readonly #controls = new Map<string, Array64[]>();
  #last: { readonly samples: readonly Array64[]; readonly figures: OwnFigures } | undefined;

  constructor(options: RateOptions) {
    this.#options = options;
  }

  /**
   * The figures by one layer's subspaces.
   *
   * @param places - for each, as before and after the layer, the tokens of each sample, `[tokens, dim]`, without those that are masked.
   * @param labels - of all tokens of all samples, in order.
   */
  async byLayer(
    places: readonly (readonly Array64[])[],
    subspaces: Array64,
    labels: readonly number[] | undefined,
  ): Promise<TokenFigures[]> {
    const spans = parts(subspaces).map(spanOf);
    const control = labels ? undefined : this.#controlOf(subspaces.shape);
    const figures: TokenFigures[] = [];
    for (const samples of places) {
      const pooled = joined(samples, subspaces.shape[1]!);
      const own = await this.#ownOf(samples, pooled);
      const given = await meanOver(samples, (sample) => codingRateGiven(sample, subspaces, this.#options));
      figures.push({
        ...own,
        codingRateGiven: given,
        rateReduction: own.codingRate - given,
        signalToNoise: ratiosBySpans(pooled, spans, labels).overall,
        ...(control ? { signalToNoiseControl: ratiosBySpans(pooled, control, undefined).overall } : {}),
      });
    }
    return figures;
  }

  async #ownOf(samples: readonly Array64[], pooled: Array64): Promise<OwnFigures> {
    if (this.#last && isSame(samples, this.#last.samples)) return this.#last.figures;
    const figures = {
      codingRate: await meanOver(samples, (sample) => codingRate(sample, this.#options)),
      effectiveRank: await meanOver(samples, effectiveRank),
      sparsity: await sparsity(pooled),
    };
    this.#last = { samples, figures };
    return figures;
  }

  #controlOf(shape: readonly number[]): Array64[] {
    const key = shape.join();
    const spans = this.#controls.get(key) ?? parts(randomSubspaces(shape)).map(spanOf);
    this.#controls.set(key, spans);
    return spans;
  }
}

function isSame(a: readonly Array64[], b: readonly Array64[]): boolean {
  const same = (x: Array64, y: Array64 | undefined) =>
    x.shape.join() === y?.shape.join() && x.data.every((value, i) => value === y.data[i]);
  return a.length === b.length && a.every((sample, i) => same(sample, b[i]));
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
