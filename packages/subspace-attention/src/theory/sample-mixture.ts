import { type Array64, checkOptions, OptionError, qr64 } from '@mixfold/tensor-ops';
import { gaussian } from './gaussian';
import { orthogonalColumns } from './given-subspaces';
import { addTimesTransposed } from './products64';

/** Sizes of a mixture of noisy low-rank Gaussians. */
export interface MixtureOptions {
  /** Tokens in all, N. */
  readonly tokens: number;
  /** Dimension of the space, d, at least `heads * headDim`. */
  readonly dim: number;
  /** Dimension of each subspace, p. */
  readonly headDim: number;
  /** Subspaces, K. */
  readonly heads: number;
  /** Deviation of the noise in the other subspaces, delta, 0 or above. */
  readonly noise: number;
  /** Any integer, 0 or above. Default 1. */
  readonly seed?: number | undefined;
  /** `[heads, dim, headDim]`, with orthonormal columns, orthogonal to each other. Default: drawn. */
  readonly subspaces?: Array64 | undefined;
}

/** Tokens drawn from a mixture, with the truth about them. */
export interface Mixture {
  /** `[tokens, dim]`. */
  readonly tokens: Array64;
  /** `[heads, dim, headDim]`: orthonormal columns, and the subspaces orthogonal to each other. */
  readonly subspaces: Array64;
  /** The subspace that each token belongs to; the clusters follow each other and differ by at most one in size. */
  readonly labels: Int32Array;
}

const rules = {
  tokens: 'positiveInteger',
  dim: 'positiveInteger',
  headDim: 'positiveInteger',
  heads: 'positiveInteger',
  noise: 'nonNegative',
  seed: 'nonNegativeInteger',
  subspaces: 'unchecked',
} as const;

/**
 * Draws tokens from a mixture of noisy low-rank Gaussians, in float64: the model that the theorem on attention-only transformers is about.
 *
 * $$ z_i = U_k a_i + \sum_{j \ne k} U_j e_{ij}, \qquad a_i \sim N(0, I_p),\; e_{ij} \sim N(0, \delta^2 I_p) $$
 *
 * for token i of cluster k.
 *
 * @param options - `tokens`, `dim`, `headDim`, `heads`, `noise`, `seed`; `subspaces`, if they are not to be drawn: float64 numbers with their shape.
 * @returns Tokens `[tokens, dim]`, subspaces `[heads, dim, headDim]` and labels; the same for a seed.
 * @throws OptionError for an unknown or bad option, a negative noise, fewer tokens than heads, `dim < heads * headDim`, where orthogonal subspaces do not exist, or given
 *   subspaces that are not orthonormal and orthogonal to 1e-5: the error has the defect or the coherence measured. ShapeError; DTypeError.
 * @remarks O(dim (heads headDim)^2 + tokens dim heads headDim).
 * @see Wang et al. 2025, https://arxiv.org/abs/2506.03790
 * @example
 * const { tokens, subspaces, labels } = sampleMixture({ tokens: 256, dim: 256, headDim: 64, heads: 4, noise: 0.05 });
 */
export function sampleMixture(options: MixtureOptions): Mixture {
  checkMixture('sampleMixture', options);
  return drawMixture('sampleMixture', options);
}

/** `sampleMixture` of checked options, for a function of another name. */
export function drawMixture(functionName: string, options: MixtureOptions): Mixture {
  const { tokens: count, dim, headDim, heads, noise, seed = 1 } = options;
  const normal = gaussian(seed);
  const all = heads * headDim;
  const draw = () => qr64({ shape: [dim, all], data: Float64Array.from({ length: dim * all }, normal) }).q;
  const q = options.subspaces ? orthogonalColumns(functionName, options.subspaces, [heads, dim, headDim]) : draw();

  const subspaces = new Float64Array(heads * dim * headDim);
  for (let k = 0; k < heads; k++) {
    for (let i = 0; i < dim; i++) {
      for (let c = 0; c < headDim; c++) subspaces[(k * dim + i) * headDim + c] = q.data[i * all + k * headDim + c]!;
    }
  }
  const labels = Int32Array.from({ length: count }, (_, i) => Math.floor((i * heads) / count));
  const coefficients = Float64Array.from({ length: count * all }, (_, at) => {
    const own = Math.floor((at % all) / headDim) === labels[Math.floor(at / all)];
    return normal() * (own ? 1 : noise);
  });
  const tokens = new Float64Array(count * dim);
  addTimesTransposed(tokens, coefficients, q.data, count, all, dim);
  return {
    tokens: { shape: [count, dim], data: tokens },
    subspaces: { shape: [heads, dim, headDim], data: subspaces },
    labels,
  };
}

/** @throws OptionError naming the option of a mixture that is missing, bad or unknown; `more` are options of the caller's own. */
export function checkMixture(functionName: string, options: MixtureOptions, more: Parameters<typeof checkOptions>[2] = {}): void {
  checkOptions(functionName, options, { ...rules, ...more });
  for (const name of ['tokens', 'dim', 'headDim', 'heads', 'noise'] as const) {
    if (options?.[name] === undefined) throw new OptionError(`${functionName}: option ${name} is missing`);
  }
  const { tokens, dim, headDim, heads } = options;
  if (dim < heads * headDim) {
    throw new OptionError(
      `${functionName}: option dim must be at least heads * headDim, ${heads * headDim}, for the subspaces to be orthogonal, got ${dim}`,
    );
  }
  if (tokens < heads) {
    throw new OptionError(
      `${functionName}: option tokens must be at least heads, ${heads}, so that no cluster is empty, got ${tokens}`,
    );
  }
}
