import { type Array64, ShapeError, svd64 } from '@mixfold/tensor-ops';
import { frobenius, gramOfColumns, product, transposed } from './matrix64';
import { parts, readValues, type Values } from './read-values';
import { spanOf } from './span';

/**
 * How close any two subspaces come: the largest cosine between a vector of one and a vector of the other, 0 if they are orthogonal, 1 if they meet.
 *
 * $$ \mu_{jk} = \sigma_{\max}(Q_j^\top Q_k) $$
 *
 * with orthonormal bases Q of the spans.
 *
 * @param subspaces - `[heads, dim, headDim]`; a tensor, or float64 numbers with their shape.
 * @returns `[heads][heads]`, symmetric, 1 on the diagonal. Random subspaces of high dimension come to about `sqrt(headDim / dim)` and more.
 * @throws ShapeError; DTypeError, also for numbers that are not finite.
 * @remarks O(heads^2 dim headDim^2). Reads the tensor back.
 */
export async function coherence(subspaces: Values): Promise<number[][]> {
  const bases = (await readHeads('coherence', subspaces)).map(spanOf);
  return bases.map((a) => bases.map((b) => Math.min(1, svd64(product(transposed(a), b)).s[0] ?? 0)));
}

/**
 * How far the columns of each subspace are from orthonormal, `|U_k^T U_k - I| / sqrt(headDim)` in the Frobenius norm. 0 for orthonormal columns.
 *
 * @param subspaces - `[heads, dim, headDim]`; a tensor, or float64 numbers with their shape.
 * @returns One number per head.
 * @throws ShapeError; DTypeError, also for numbers that are not finite.
 */
export async function orthonormalityDefect(subspaces: Values): Promise<number[]> {
  return (await readHeads('orthonormalityDefect', subspaces)).map(defectOf);
}

/** `orthonormalityDefect` of one head `[dim, headDim]`. */
export function defectOf(head: Array64): number {
  const { shape, data } = gramOfColumns(head);
  const size = shape[0]!;
  return size === 0 ? 0 : frobenius(data.map((x, i) => x - (i % (size + 1) === 0 ? 1 : 0))) / Math.sqrt(size);
}

/**
 * The largest singular value of each subspace: 1 for orthonormal columns; what is above amplifies beyond the projector of the theory.
 *
 * @param subspaces - `[heads, dim, headDim]`; a tensor, or float64 numbers with their shape.
 * @returns One number per head.
 * @throws ShapeError; DTypeError, also for numbers that are not finite.
 */
export async function sigmaMax(subspaces: Values): Promise<number[]> {
  return (await readHeads('sigmaMax', subspaces)).map((head) => svd64(head).s[0] ?? 0);
}

/** How an untied output relates to the subspaces. */
export interface Tiedness {
  /** Per head the cosine between output and transposed subspace as vectors: 1 if they are tied, up to a factor. */
  readonly cosine: number[];
  /** Per head the angles between the two spans, in radians, smallest first: all 0 if the output writes into the subspace it reads from. */
  readonly principalAngles: number[][];
}

/**
 * Whether a model that learnt its output freely has tied it to its subspaces after all.
 *
 * @param subspaces - `[heads, dim, headDim]`. @param output - `[heads, headDim, dim]`, as `mssa` takes it.
 * @returns Cosines and principal angles, per head.
 * @throws ShapeError; DTypeError, also for numbers that are not finite.
 */
export async function tiedness(subspaces: Values, output: Values): Promise<Tiedness> {
  const heads = await readHeads('tiedness', subspaces);
  const outputs = parts(await readValues('tiedness', 'output', output, ['heads headDim dim'])).map(transposed);
  const [a, b] = [subspaces.shape, output.shape];
  if (a[0] !== b[0] || a[1] !== b[2] || a[2] !== b[1]) {
    throw new ShapeError(
      `tiedness: output must be [heads headDim dim] of subspaces [heads dim headDim], got [${b.join(', ')}] and [${a.join(', ')}]`,
    );
  }
  const cosine = heads.map((head, k) => {
    const norms = frobenius(head.data) * frobenius(outputs[k]!.data);
    const inner = head.data.reduce((sum, x, i) => sum + x * outputs[k]!.data[i]!, 0);
    return norms === 0 ? 0 : inner / norms;
  });
  const principalAngles = heads.map((head, k) => {
    const { s } = svd64(product(transposed(spanOf(head)), spanOf(outputs[k]!)));
    return Array.from(s, (value) => Math.acos(Math.min(1, value)));
  });
  return { cosine, principalAngles };
}

async function readHeads(functionName: string, subspaces: Values): Promise<Array64[]> {
  return parts(await readValues(functionName, 'subspaces', subspaces, ['heads dim headDim']));
}
