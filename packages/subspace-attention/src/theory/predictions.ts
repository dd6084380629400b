import { checkOptions, OptionError } from '@mixfold/tensor-ops';

/** What `predictedSnr` needs to know. */
export interface SnrPrediction {
  /** Deviation of the noise, delta, above 0. */
  readonly noise: number;
  /** Subspaces, K, at least 2. */
  readonly heads: number;
  /** Step size of a layer, eta. */
  readonly stepSize: number;
  /** Threshold and weight of the operator. */
  readonly tau: number;
  readonly layers: number;
}

/** What `safeDepth` needs to know. */
export interface DepthOptions {
  /** Deviation of the noise, delta, above 0. */
  readonly noise: number;
  /** Dimension of each subspace, p. */
  readonly headDim: number;
  readonly stepSize: number;
  readonly tau: number;
  /** Deviation of the logits in a wrong head up to which they are harmless. Default 1.5. */
  readonly limit?: number | undefined;
}

/**
 * The largest tau that the theorem on attention-only transformers allows; the smallest is 1/2.
 *
 * $$ \tau \le \frac{1}{1 + N e^{-9p/32}} $$
 *
 * @param options - `tokens` N and `headDim` p.
 * @returns The bound. Not above 1/2 if the interval is empty: it takes `headDim > 32/9 log(tokens)`.
 * @throws OptionError for a size that is no integer above 0.
 * @see Wang et al. 2025, theorem 1, https://arxiv.org/abs/2506.03790
 * @example
 * tauUpperBound({ tokens: 256, headDim: 64 }); // 0.999996
 */
export function tauUpperBound(options: { readonly tokens: number; readonly headDim: number }): number {
  checkAll('tauUpperBound', options, { tokens: 'positiveInteger', headDim: 'positiveInteger' });
  return 1 / (1 + options.tokens * Math.exp((-9 * options.headDim) / 32));
}

/**
 * The signal-to-noise ratio that the theorem predicts before the first layer and after each: geometric growth.
 *
 * $$ \mathrm{SNR}_l = \frac{(1 + \eta \tau)^l}{\delta \sqrt{K - 1}} $$
 *
 * @param options - `noise`, `heads`, `stepSize`, `tau`, `layers`.
 * @returns `layers + 1` numbers.
 * @throws OptionError for a bad option; one head has no other subspace, so no noise.
 * @remarks It holds up to `safeDepth`, not for ever.
 * @see Wang et al. 2025, theorem 1, https://arxiv.org/abs/2506.03790
 * @example
 * predictedSnr({ noise: 0.05, heads: 4, stepSize: 0.1, tau: 0.9, layers: 12 }); // 11.55, 12.59, ... 32.5
 */
export function predictedSnr(options: SnrPrediction): number[] {
  checkAll('predictedSnr', options, {
    noise: 'positive',
    heads: 'positiveInteger',
    stepSize: 'positive',
    tau: 'positive',
    layers: 'nonNegativeInteger',
  });
  const { noise, heads, stepSize, tau, layers } = options;
  if (heads === 1) throw new OptionError('predictedSnr: option heads must be at least 2: one subspace has no noise, got 1');
  const start = 1 / (noise * Math.sqrt(heads - 1));
  return Array.from({ length: layers + 1 }, (_, layer) => start * (1 + stepSize * tau) ** layer);
}

/**
 * The number of layers for which the theorem can be relied on. Every layer amplifies the keys, so the logits of a token in a wrong head grow too, with
 * deviation `noise sqrt(headDim) (1 + stepSize tau)^layer`; beyond about 2 one of them passes the threshold and brings a foreign signal in.
 *
 * @param options - `noise`, `headDim`, `stepSize`, `tau`, `limit` (default 1.5, on the safe side of what was seen to fail).
 * @returns The last layer whose logits stay below the limit; 0 if even the first do not.
 * @throws OptionError for a bad option.
 * @remarks The rule is an observation in float64, not a part of the theorem, whose hypotheses do not name the depth.
 * @example
 * safeDepth({ noise: 0.05, headDim: 64, stepSize: 0.1, tau: 0.9 }); // 15
 */
export function safeDepth(options: DepthOptions): number {
  checkAll(
    'safeDepth',
    options,
    { noise: 'positive', headDim: 'positiveInteger', stepSize: 'positive', tau: 'positive' },
    {
      limit: 'positive',
    },
  );
  const { noise, headDim, stepSize, tau, limit = 1.5 } = options;
  const layers = Math.log(limit / (noise * Math.sqrt(headDim))) / Math.log1p(stepSize * tau);
  return Math.max(0, Math.floor(layers));
}

type Rules = Parameters<typeof checkOptions>[2];

/** @throws OptionError unless every option of `rules` is there and all options are good. */
function checkAll(functionName: string, options: object, rules: Rules, optional: Rules = {}): void {
  checkOptions(functionName, options, { ...rules, ...optional });
  for (const name of Object.keys(rules)) {
    if ((options as Record<string, unknown>)?.[name] === undefined) {
      throw new OptionError(`${functionName}: option ${name} is missing`);
    }
  }
}
