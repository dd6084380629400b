import { type DenoisingOperator, denoisingStep } from './denoising-layer';
import { safeDepth, tauUpperBound } from './predictions';
import { checkMixture, drawMixture, type Mixture, type MixtureOptions } from './sample-mixture';
import { clusterRatios } from './signal-to-noise64';

/** A run of layers on a drawn mixture. */
export interface DenoisingOptions extends MixtureOptions {
  /** Layers, L. Default 12. */
  readonly layers?: number | undefined;
  /** Step size, eta. Default 0.1. */
  readonly stepSize?: number | undefined;
  /** Threshold and weight of the theorem's operator. Default 0.9. */
  readonly tau?: number | undefined;
  /**
   * `'theorem'` (default): a weight counts tau if it is above tau, else nothing, and scores are not scaled. `'softmax'`: the same without the threshold.
   * `'practical'`: layer norm before, softmax of scores over `sqrt(headDim)`.
   */
  readonly operator?: DenoisingOperator | undefined;
  /** Whether a token sees only itself and those before. Default false. */
  readonly causal?: boolean | undefined;
}

/** How the signal-to-noise ratio went through the layers. */
export interface DenoisingRun {
  /** `[layers + 1][heads]`: before the first layer, and after each. */
  readonly snr: number[][];
  /** `[layers][heads]`: by how much each layer multiplied it. */
  readonly ratio: number[][];
  /** For each layer whether every ratio is `1 + stepSize tau` to 1e-9, as the theorem says. */
  readonly exact: boolean[];
  /** Which hypotheses of the theorem do not hold, or are not known to beyond a depth; empty if it covers the run. */
  readonly outside: string[];
  /** What the layers ran on. */
  readonly mixture: Mixture;
}

/** What rounding may do to a ratio in float64. */
const TOLERANCE = 1e-9;

/**
 * Runs attention-only layers on tokens of a mixture, in float64, and follows their signal-to-noise ratio.
 *
 * $$ Z^{l+1} = Z^l + \eta \sum_k \varphi(Z^l U_k U_k^\top Z^{l\top}) Z^l U_k U_k^\top $$
 *
 * @param options - those of `sampleMixture`, and `layers` (12), `stepSize` (0.1), `tau` (0.9), `operator` (`'theorem'`), `causal` (false).
 * @returns The ratios by layer and cluster, where they are what the theorem says, and what puts the run outside the theorem.
 * @throws OptionError for an unknown or bad option, also for given `subspaces` that are not orthonormal and orthogonal, with the defect or coherence measured. A tau
 *   outside its interval is no error: the run says so in `outside`.
 * @remarks O(layers heads tokens (dim headDim + tokens headDim)).
 * @see Wang et al. 2025, theorem 1, https://arxiv.org/abs/2506.03790
 * @example
 * const { snr, exact } = runDenoising({ tokens: 256, dim: 256, headDim: 64, heads: 4, noise: 0.05 });
 */
export function runDenoising(options: DenoisingOptions): DenoisingRun {
  checkMixture('runDenoising', options, {
    layers: 'nonNegativeInteger',
    stepSize: 'positive',
    tau: 'positive',
    operator: ['theorem', 'softmax', 'practical'],
    causal: 'boolean',
  });
  const { layers = 12, stepSize = 0.1, tau = 0.9, operator = 'theorem', causal = false, ...mixtureOptions } = options;
  const mixture = drawMixture('runDenoising', mixtureOptions);
  const { tokens: count, dim, heads, headDim } = options;
  const call = { count, dim, heads, headDim, operator, tau, causal };
  const tokens = mixture.tokens.data.slice();
  const ratios = () => clusterRatios(tokens, mixture.subspaces.data, mixture.labels, [count, dim, heads, headDim]);
  const snr = [ratios()];
  for (let layer = 0; layer < layers; layer++) {
    const step = denoisingStep(tokens, mixture.subspaces.data, call);
    for (let i = 0; i < tokens.length; i++) tokens[i]! += stepSize * step[i]!;
    snr.push(ratios());
  }
  const ratio = snr.slice(1).map((after, layer) => after.map((value, k) => value / snr[layer]![k]!));
  const exact = ratio.map((all) => all.every((value) => Math.abs(value - (1 + stepSize * tau)) <= TOLERANCE));
  return { snr, ratio, exact, outside: outsideTheorem(options, { layers, stepSize, tau, operator, causal }), mixture };
}

function outsideTheorem(
  { tokens, headDim, heads, noise }: MixtureOptions,
  run: { layers: number; stepSize: number; tau: number; operator: DenoisingOperator; causal: boolean },
): string[] {
  const { layers, stepSize, tau, operator, causal } = run;
  const found: string[] = [];
  if (operator !== 'theorem') found.push(`the operator is '${operator}'`);
  if (causal) found.push('the mask is causal');
  const bound = tauUpperBound({ tokens, headDim });
  if (bound <= 1 / 2) found.push(`headDim ${headDim} is too small for ${tokens} tokens: no tau is allowed`);
  else if (!(tau > 1 / 2 && tau <= bound)) found.push(`tau ${tau} is not in (0.5, ${bound}]`);
  if (heads > 1 && noise > 0) {
    const depth = safeDepth({ noise, headDim, stepSize, tau });
    if (layers > depth) found.push(`${layers} layers are more than the ${depth} that noise ${noise} allows`);
  }
  return found;
}
