import { checkOptions, show } from '../check-options';
import { OptionError } from '../errors';
import { type Array64, norm64, product64, readArray64, type Tensor64 } from './array64';
import { decomposed } from './svd64';
import { fold64, unfold64 } from './unfold64';

/** A Tucker decomposition. */
export interface Tucker64 {
  /** Of shape `ranks`. */
  readonly core: Array64;
  /** Per mode `[size, rank of that mode]`, its columns orthonormal. */
  readonly factors: readonly Array64[];
  /** The norm of what is missing over that of the tensor; 0 for a tensor of zeros. */
  readonly relativeError: number;
  /** Rounds after the first guess. */
  readonly iterations: number;
  /** Whether the error had settled to `tolerance`. */
  readonly converged: boolean;
}

/**
 * The Tucker decomposition in float64: the truncated higher-order SVD, improved by orthogonal iteration.
 *
 * @param t - One axis or more.
 * @param ranks - Per mode the size of the core, at most that of the mode and at most the product of the other ranks.
 * @param options.tolerance - Ends when a round changes the relative error by no more. Default 1e-12.
 * @param options.maxIterations - Default 50.
 * @throws OptionError for ranks that are not there; DTypeError for numbers that are not finite.
 * @remarks Exact where the tensor has these multilinear ranks. One singular value decomposition per mode and round.
 * @see De Lathauwer, De Moor and Vandewalle 2000, https://doi.org/10.1137/S0895479898346995
 * @example
 * const { core, factors } = tuckerDecompose64(t, [2, 2, 2]);
 */
export function tuckerDecompose64(
  t: Tensor64,
  ranks: readonly number[],
  options: { readonly tolerance?: number | undefined; readonly maxIterations?: number | undefined } = {},
): Tucker64 {
  checkOptions('tuckerDecompose64', options, { tolerance: 'nonNegative', maxIterations: 'nonNegativeInteger' });
  const { tolerance = 1e-12, maxIterations = 50 } = options;
  const tensor = readArray64('tuckerDecompose64', 't', t);
  checkRanks(ranks, tensor.shape);
  const total = norm64(tensor.data);
  const modes = ranks.map((_, mode) => mode);
  const factors = modes.map((mode) => leadingVectors(tensor, mode, ranks[mode]!));
  const coreOf = () => modes.reduce((part, mode) => projected(part, factors[mode]!, mode), tensor);
  const errorOf = (core: Array64) => (total === 0 ? 0 : missing(tensor, core, factors) / total);
  let core = coreOf();
  let error = errorOf(core);
  for (let round = 1; round <= maxIterations; round++) {
    for (const mode of modes) {
      const others = modes.filter((other) => other !== mode);
      const part = others.reduce((left, other) => projected(left, factors[other]!, other), tensor);
      factors[mode] = leadingVectors(part, mode, ranks[mode]!);
    }
    core = coreOf();
    const before = error;
    error = errorOf(core);
    if (Math.abs(before - error) <= tolerance) return { core, factors, relativeError: error, iterations: round, converged: true };
  }
  return { core, factors, relativeError: error, iterations: maxIterations, converged: false };
}

function checkRanks(ranks: readonly number[], shape: readonly number[]): void {
  if (!Array.isArray(ranks) || ranks.length !== shape.length) {
    const found = Array.isArray(ranks) ? `[${ranks.join(', ')}]` : show(ranks);
    throw new OptionError(
      `tuckerDecompose64: ranks must be an array of ${shape.length}, one per axis of [${shape.join(', ')}], got ${found}`,
    );
  }
  ranks.forEach((rank: number, mode) => {
    const others = ranks.reduce((product, other, i) => (i === mode ? product : product * other), 1);
    const most = Math.min(shape[mode]!, others);
    const least = shape.includes(0) ? 0 : 1;
    if (Number.isInteger(rank) && rank >= least && rank <= most) return;
    const rule = `ranks[${mode}] must be an integer from ${least} to ${most}, the size of its axis or the product of the other ranks`;
    throw new OptionError(`tuckerDecompose64: ${rule}, got ${show(rank)}`);
  });
}

/** The first left singular vectors of an unfolding. */
function leadingVectors(t: Array64, mode: number, rank: number): Array64 {
  const { u } = decomposed(unfold64(t, mode));
  const [size, columns] = u.shape as [number, number];
  const data = new Float64Array(size * rank);
  for (let i = 0; i < size; i++) data.set(u.data.subarray(i * columns, i * columns + rank), i * rank);
  return { shape: [size, rank], data };
}

/** The mode product with a factor, or with its transpose. */
function modeProduct64(t: Array64, factor: Array64, mode: number, transposed: boolean): Array64 {
  const shape = t.shape.map((size, axis) => (axis === mode ? factor.shape[transposed ? 1 : 0]! : size));
  return fold64(product64(factor, unfold64(t, mode), transposed), mode, shape);
}

const projected = (t: Array64, factor: Array64, mode: number) => modeProduct64(t, factor, mode, true);

/** The norm of what a decomposition misses. From the tensors, not their norms, whose difference loses half the digits. */
function missing(t: Array64, core: Array64, factors: readonly Array64[]): number {
  const made = factors.reduce((part, factor, mode) => modeProduct64(part, factor, mode, false), core);
  return norm64(made.data.map((value, i) => value - t.data[i]!));
}
