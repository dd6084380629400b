import { checkOptions, show } from '../check-options';
import { OptionError, ShapeError } from '../errors';
import { type Array64, norm64, product64, readArray64, type Tensor64, zeros64 } from './array64';
import { decomposed } from './svd64';
import { unfold64 } from './unfold64';

/** A CP decomposition. */
export interface Cp64 {
  /** The largest first, 0 or above. */
  readonly weights: Float64Array;
  /** Per mode `[size, rank]`, columns of length 1 unless the weight is 0. */
  readonly factors: readonly Array64[];
  /** The norm of what is missing over that of the tensor; 0 for a tensor of zeros. */
  readonly relativeError: number;
  /** Rounds done. */
  readonly iterations: number;
  /** Whether the error had settled to `tolerance`. */
  readonly converged: boolean;
}

/**
 * The CP decomposition in float64 by alternating least squares: a sum of `rank` outer products.
 *
 * @param t - Two axes or more.
 * @param rank - Terms of the sum.
 * @param options.seed - Of the first guess; the same seed gives the same result. Default 0.
 * @param options.tolerance - Ends when a round changes the relative error by no more. Default 1e-10.
 * @param options.maxIterations - Default 1000.
 * @returns Weights and factors as `cpToTensor` takes them, if made tensors.
 * @throws ShapeError for fewer than two axes; OptionError; DTypeError for numbers that are not finite.
 * @remarks The error never grows, but the end may be a local minimum, or convergence slow where terms are nearly parallel: try several
 *   seeds and compare `relativeError`. O(size rank axes) per round.
 * @see Kolda and Bader 2009, section 3.4, https://doi.org/10.1137/07070111X
 * @example
 * const { weights, factors, relativeError } = cpDecompose64(t, 3, { seed: 1 });
 */
export function cpDecompose64(
  t: Tensor64,
  rank: number,
  options: {
    readonly seed?: number | undefined;
    readonly tolerance?: number | undefined;
    readonly maxIterations?: number | undefined;
  } = {},
): Cp64 {
  checkOptions('cpDecompose64', options, {
    seed: 'nonNegativeInteger',
    tolerance: 'nonNegative',
    maxIterations: 'positiveInteger',
  });
  if (!Number.isSafeInteger(rank) || rank < 1) {
    throw new OptionError(`cpDecompose64: rank must be an integer above 0, got ${show(rank)}`);
  }
  const { seed = 0, tolerance = 1e-10, maxIterations = 1000 } = options;
  const tensor = readArray64('cpDecompose64', 't', t);
  if (tensor.shape.length < 2) {
    throw new ShapeError(`cpDecompose64: t must have 2 axes or more, got shape [${tensor.shape.join(', ')}]`);
  }
  const next = seededNormals(seed);
  const factors: Array64[] = tensor.shape.map((size) => ({
    shape: [size, rank],
    data: Float64Array.from({ length: size * rank }, next),
  }));
  const unfoldings = tensor.shape.map((_, mode) => unfold64(tensor, mode));
  const total = norm64(tensor.data);
  let error = 1;
  for (let round = 1; ; round++) {
    let others = factors[0]!;
    factors.forEach((_, mode) => {
      others = factors.filter((__, other) => other !== mode).reduce(khatriRao64);
      factors[mode] = nextFactor(unfoldings[mode]!, others, factors, mode);
    });
    const made = product64(factors.at(-1)!, others, false, true);
    const before = error;
    error = total === 0 ? 0 : norm64(made.data.map((value, i) => value - unfoldings.at(-1)!.data[i]!)) / total;
    const converged = Math.abs(before - error) <= tolerance || error <= Number.EPSILON;
    if (converged || round >= maxIterations) {
      return { ...normalised(factors, rank), relativeError: error, iterations: round, converged };
    }
    balance(factors, rank);
  }
}

/** Each column of one matrix times each row of the same column of the other; the rows of the second vary fastest. */
function khatriRao64(a: Array64, b: Array64): Array64 {
  const [rows, rank] = a.shape as [number, number];
  const inner = b.shape[0]!;
  const out = zeros64(rows * inner, rank);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < inner; j++) {
      for (let r = 0; r < rank; r++) out.data[(i * inner + j) * rank + r] = a.data[i * rank + r]! * b.data[j * rank + r]!;
    }
  }
  return out;
}

/** The factor of one mode that fits best while the others stay: its normal equations, whose matrix is a product of small ones. */
function nextFactor(unfolding: Array64, others: Array64, factors: readonly Array64[], mode: number): Array64 {
  const rank = others.shape[1]!;
  const gram: Array64 = { shape: [rank, rank], data: new Float64Array(rank * rank).fill(1) };
  factors.forEach((factor, other) => {
    if (other === mode) return;
    const own = product64(factor, factor, true);
    for (let i = 0; i < gram.data.length; i++) gram.data[i]! *= own.data[i]!;
  });
  const { u, s, v } = decomposed(gram);
  const least = rank * Number.EPSILON * (s[0] ?? 0);
  const turned = product64(product64(unfolding, others), v);
  turned.data.forEach((value, i) => {
    const singular = s[i % rank]!;
    turned.data[i] = singular > least ? value / singular : 0;
  });
  return product64(turned, u, false, true);
}

const columnNorm = ({ shape, data }: Array64, column: number) => norm64(data.filter((_, i) => i % shape[1]! === column));

const scaleColumn = ({ shape, data }: Array64, column: number, by: number) => {
  for (let i = column; i < data.length; i += shape[1]!) data[i]! *= by;
};

/** Gives the columns of one term the same length in all factors, which keeps the normal equations well scaled. */
function balance(factors: readonly Array64[], rank: number): void {
  for (let r = 0; r < rank; r++) {
    const lengths = factors.map((factor) => columnNorm(factor, r));
    if (lengths.some((length) => length === 0)) continue;
    const mean = Math.exp(lengths.reduce((sum, length) => sum + Math.log(length), 0) / lengths.length);
    factors.forEach((factor, mode) => {
      scaleColumn(factor, r, mean / lengths[mode]!);
    });
  }
}

function normalised(factors: readonly Array64[], rank: number): Pick<Cp64, 'weights' | 'factors'> {
  const found = Array.from({ length: rank }, (_, r) => {
    let weight = 1;
    for (const factor of factors) {
      const length = columnNorm(factor, r);
      if (length > 0) scaleColumn(factor, r, 1 / length);
      weight *= length;
    }
    return weight;
  });
  const order = found.map((_, r) => r).sort((a, b) => found[b]! - found[a]!);
  return {
    weights: Float64Array.from(order, (r) => found[r]!),
    factors: factors.map(({ shape, data }) => ({
      shape,
      data: data.map((_, i) => data[i - (i % rank) + order[i % rank]!]!),
    })),
  };
}

/** Normal numbers by Mulberry32 and Box and Muller, the same on every machine. */
function seededNormals(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
