import { checkOptions, OptionError, qr64 } from '@mixfold/tensor-ops';
import { type Tensor3D, tensor3d } from '@tensorflow/tfjs-core';
import { gaussian, seededUniform } from '../theory/gaussian';

/** How the first values of subspaces are drawn. */
export interface SubspaceDraw {
  /**
   * `'orthonormal'`: the columns of each head are orthonormal, in a direction drawn uniformly. `'kaimingUniform'`: as PyTorch's `Linear` starts, uniform up to
   * `1 / sqrt(fan in)`. `'normal'`: independent, of deviation `stddev`.
   */
  readonly kind: 'orthonormal' | 'kaimingUniform' | 'normal';
  /** Of `'normal'`. Default 0.02. */
  readonly stddev?: number | undefined;
  /** An integer, 0 or above. Default: another one for every draw. */
  readonly seed?: number | undefined;
}

/** What `initialSubspaces` draws. */
export interface InitialSubspacesOptions extends Omit<SubspaceDraw, 'kind'> {
  readonly heads: number;
  readonly dim: number;
  readonly headDim: number;
  /** Default `'orthonormal'`. */
  readonly kind?: SubspaceDraw['kind'] | undefined;
}

export const subspaceKinds = ['orthonormal', 'kaimingUniform', 'normal'] as const;

/** What may be asked of a draw. */
export const drawRules = { kind: subspaceKinds, stddev: 'positive', seed: 'nonNegativeInteger' } as const;

/**
 * Draws first values for the subspaces of `mssa`.
 *
 * @param options - `heads`, `dim`, `headDim`; `kind`: `'orthonormal'` (default; the theory's subspaces), `'kaimingUniform'` (the public CRATE code's, uniform up to
 *   `1 / sqrt(dim)`) or `'normal'`, with `stddev` (default 0.02); `seed`.
 * @returns `[heads, dim, headDim]`. New tensor; the caller disposes it.
 * @throws OptionError for an unknown or bad option, or orthonormal columns where `headDim` is above `dim`.
 * @remarks O(heads dim headDim^2), in float64. Orthonormal subspaces make a token of unit variance its own best match by `sqrt(headDim)`: see the page on layers.
 * @example
 * const subspaces = tf.variable(initialSubspaces({ heads: 4, dim: 64, headDim: 16, seed: 1 }));
 */
export function initialSubspaces(options: InitialSubspacesOptions): Tensor3D {
  const sizes = { heads: 'positiveInteger', dim: 'positiveInteger', headDim: 'positiveInteger' } as const;
  checkOptions('initialSubspaces', options, { ...sizes, ...drawRules });
  for (const name of ['heads', 'dim', 'headDim'] as const) {
    if (options?.[name] === undefined) throw new OptionError(`initialSubspaces: option ${name} is missing`);
  }
  const { heads, dim, headDim, kind = 'orthonormal', ...rest } = options;
  return tensor3d(drawSubspaces('initialSubspaces', { kind, ...rest }, [heads, dim, headDim], dim), [heads, dim, headDim]);
}

/** Numbers of subspaces `[heads, dim, headDim]`; `fanIn` counts what enters an output of theirs. */
export function drawSubspaces(
  functionName: string,
  { kind, stddev = 0.02, seed = Math.floor(Math.random() * 2 ** 52) }: SubspaceDraw,
  [heads, dim, headDim]: readonly [heads: number, dim: number, headDim: number],
  fanIn: number,
): Float32Array {
  const size = heads * dim * headDim;
  if (kind === 'kaimingUniform') {
    const uniform = seededUniform(seed);
    return Float32Array.from({ length: size }, () => (2 * uniform() - 1) / Math.sqrt(fanIn));
  }
  const normal = gaussian(seed);
  if (kind === 'normal') return Float32Array.from({ length: size }, () => stddev * normal());
  if (headDim > dim) {
    throw new OptionError(`${functionName}: ${headDim} orthonormal columns do not exist in ${dim} dimensions; lower headDim`);
  }
  const out = new Float32Array(size);
  for (let head = 0; head < heads; head++) {
    // The diagonal of r is 0 or above, so q is drawn uniformly.
    const { q } = qr64({ shape: [dim, headDim], data: Float64Array.from({ length: dim * headDim }, normal) });
    out.set(q.data, head * dim * headDim);
  }
  return out;
}
