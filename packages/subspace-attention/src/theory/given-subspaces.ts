import { type Array64, DTypeError, OptionError, qr64, ShapeError, svd64 } from '@mixfold/tensor-ops';
import { frobenius, gramOfColumns } from '../measure/matrix64';

/** Float32 rounding leaves columns of 1,000 numbers this far from orthonormal, and less. */
const TOLERANCE = 1e-5;

/**
 * Subspaces that a user gave, side by side: `[dim, heads * headDim]`. What rounding to float32 left between them and orthonormal columns is taken off, so that the theorem can hold to float64.
 *
 * @throws ShapeError for other sizes than asked for; DTypeError for numbers that are not finite; OptionError with the measured defect of a head whose columns are not
 *   orthonormal, or the measured coherence of two heads that are not orthogonal.
 */
export function orthogonalColumns(
  functionName: string,
  subspaces: Array64,
  [heads, dim, headDim]: readonly [heads: number, dim: number, headDim: number],
): Array64 {
  const { shape, data } = subspaces ?? {};
  const wanted = [heads, dim, headDim];
  if (!Array.isArray(shape) || shape.join() !== wanted.join() || data?.length !== heads * dim * headDim) {
    const found = Array.isArray(shape) ? `[${shape.join(', ')}] with ${data?.length} numbers` : 'no {shape, data}';
    throw new ShapeError(`${functionName}: option subspaces must be [heads dim headDim], [${wanted.join(', ')}], got ${found}`);
  }
  const bad = data.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0)
    throw new DTypeError(`${functionName}: option subspaces must hold finite numbers, got ${data[bad]} at place ${bad}`);
  const columns = heads * headDim;
  const joined = { shape: [dim, columns], data: new Float64Array(dim * columns) };
  for (let k = 0; k < heads; k++) {
    for (let i = 0; i < dim; i++) {
      for (let c = 0; c < headDim; c++) joined.data[i * columns + k * headDim + c] = data[(k * dim + i) * headDim + c]!;
    }
  }
  checkOrthogonal(functionName, gramOfColumns(joined), heads, headDim);
  return qr64(joined).q;
}

/** Every block of the Gram matrix of all columns must be that of orthonormal ones: the identity on the diagonal, else 0. */
function checkOrthogonal(functionName: string, gram: Array64, heads: number, headDim: number): void {
  const block = (j: number, k: number): Array64 => {
    const columns = heads * headDim;
    const value = (i: number) => gram.data[(j * headDim + Math.floor(i / headDim)) * columns + k * headDim + (i % headDim)]!;
    return { shape: [headDim, headDim], data: Float64Array.from({ length: headDim ** 2 }, (_, i) => value(i)) };
  };
  for (let k = 0; k < heads; k++) {
    const excess = block(k, k).data.map((x, i) => x - (i % (headDim + 1) === 0 ? 1 : 0));
    const defect = frobenius(excess) / Math.sqrt(headDim);
    if (defect > TOLERANCE) {
      throw new OptionError(
        `${functionName}: option subspaces must have orthonormal columns, but the orthonormality defect of head ${k} is ${defect.toPrecision(3)}; orthonormalize them`,
      );
    }
  }
  for (let j = 0; j < heads; j++) {
    for (let k = 0; k < j; k++) {
      const overlap = block(j, k);
      if (frobenius(overlap.data) <= TOLERANCE * Math.sqrt(headDim)) continue;
      const coherence = svd64(overlap).s[0]!;
      throw new OptionError(
        `${functionName}: option subspaces must be orthogonal to each other, but the coherence of heads ${k} and ${j} is ${coherence.toPrecision(3)}`,
      );
    }
  }
}
