import { type Array64, checkOptions, OptionError, ShapeError } from '@mixfold/tensor-ops';
import { product } from './matrix64';
import { parts, readValues, type Values } from './read-values';
import { spanOf } from './span';

/** Signal-to-noise ratios of clusters of tokens. */
export interface SignalToNoise {
  /** By cluster; NaN for one without tokens, infinite for one without noise. */
  readonly ratios: number[];
  /** Of all tokens together. */
  readonly overall: number;
  /** The cluster of each token: those given, or the guesses of the proxy. */
  readonly labels: Int32Array;
  /** Whether the labels were guessed from the same energies that the ratios are made of, which raises them: not comparable to ratios of true labels. */
  readonly isProxy: boolean;
}

/**
 * The signal-to-noise ratio of tokens by subspace: the norm of a cluster's tokens inside its subspace over their norm outside.
 *
 * $$ \mathrm{SNR}_k = \frac{\lVert Z_k Q_k Q_k^\top \rVert_F}{\lVert Z_k (I - Q_k Q_k^\top) \rVert_F} $$
 *
 * with an orthonormal basis Q of the span of the subspace's columns. An amplitude ratio, not a power, not decibels.
 *
 * @param tokens - `[tokens, dim]`; a tensor, or float64 numbers with their shape.
 * @param subspaces - `[heads, dim, headDim]`; only their spans count.
 * @param options - `labels`: the subspace of each token. Without them the result is a **proxy**: each token is put where most of its energy is, so some of
 *   the ratio is there by construction; compare it with that of other subspaces, such as random ones, and across layers.
 * @returns Ratios by cluster and overall, the labels, and whether they were guessed.
 * @throws ShapeError; DTypeError, also for numbers that are not finite; OptionError for labels that are no subspaces or not one per token.
 * @remarks O(tokens dim heads headDim). Reads the tensors back.
 * @see Wang et al. 2025, https://arxiv.org/abs/2506.03790
 * @example
 * const { ratios } = await signalToNoise(tokens, subspaces, { labels });
 */
export async function signalToNoise(
  tokens: Values,
  subspaces: Values,
  options: { readonly labels?: ArrayLike<number> | undefined } = {},
): Promise<SignalToNoise> {
  checkOptions('signalToNoise', options, { labels: 'unchecked' });
  const [values, heads] = await Promise.all([
    readValues('signalToNoise', 'tokens', tokens, ['tokens dim']),
    readValues('signalToNoise', 'subspaces', subspaces, ['heads dim headDim']),
  ]);
  const dim = values.shape[1]!;
  if (heads.shape[1] !== dim) {
    throw new ShapeError(`signalToNoise: axis 'dim' is ${dim} in tokens but ${heads.shape[1]} in subspaces`);
  }
  return ratiosBySpans(values, parts(heads).map(spanOf), options.labels);
}

/** `signalToNoise` by orthonormal bases of the subspaces. */
export function ratiosBySpans(values: Array64, spans: readonly Array64[], given: ArrayLike<number> | undefined): SignalToNoise {
  const count = values.shape[0]!;
  const energies = spans.map((span) => insideOf(values, span));
  const labels = given === undefined ? guesses(energies, count) : checkedLabels(given, count, spans.length);
  const totals = insideOf(values, undefined);
  const [signal, noise] = [new Float64Array(energies.length), new Float64Array(energies.length)];
  for (let t = 0; t < count; t++) {
    const k = labels[t]!;
    signal[k]! += energies[k]![t]!;
    // What rounding leaves of a token inside its subspace is not below 0.
    noise[k]! += Math.max(0, totals[t]! - energies[k]![t]!);
  }
  const sum = (x: Float64Array) => x.reduce((a, b) => a + b, 0);
  return {
    ratios: Array.from(signal, (energy, k) => Math.sqrt(energy) / Math.sqrt(noise[k]!)),
    overall: Math.sqrt(sum(signal)) / Math.sqrt(sum(noise)),
    labels,
    isProxy: given === undefined,
  };
}

/** The squared norm of each token inside a span, or of the whole token. */
function insideOf(tokens: Array64, span: Array64 | undefined): Float64Array {
  const { shape, data } = span === undefined ? tokens : product(tokens, span);
  const [count, width] = shape as [number, number];
  return Float64Array.from({ length: count }, (_, t) =>
    data.subarray(t * width, (t + 1) * width).reduce((sum, x) => sum + x * x, 0),
  );
}

function guesses(energies: readonly Float64Array[], count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, t) =>
    energies.reduce((best, energy, k) => (energy[t]! > energies[best]![t]! ? k : best), 0),
  );
}

function checkedLabels(labels: ArrayLike<number>, count: number, heads: number): Int32Array {
  if (labels.length !== count) {
    throw new OptionError(`signalToNoise: option labels must have one entry per token, ${count}, got ${labels.length}`);
  }
  const bad = Array.from(labels).findIndex((label) => !Number.isInteger(label) || label < 0 || label >= heads);
  if (bad >= 0) {
    throw new OptionError(
      `signalToNoise: option labels must hold subspaces, 0 to ${heads - 1}, got ${labels[bad]} at token ${bad}`,
    );
  }
  return Int32Array.from(labels);
}
