import { type BasisSpec, type ConvolutionBasis, defineBasis } from '@mixfold/mixed-product';
import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import { type Tensor3D, type Tensor4D, tensor3d } from '@tensorflow/tfjs-core';
import { type Boundary, boundaries, runsOf } from '../boundary';
import { type Offset2d, offsetsAttribute } from '../shift-convolution/geometry';
import { shiftTermsOperator, type TermMode } from './shift-terms';

/** Options of a shift basis. */
export interface ShiftBasisOptions {
  /** What is read beyond the ends. Default `'zero'`. */
  readonly boundary?: Boundary | undefined;
}

interface Shifts {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly offsets: readonly Offset2d[];
  readonly boundary: Boundary;
}

/** Where each target of an axis reads, -1 for nowhere. */
function sourcesOf(offset: number, length: number, boundary: Boundary): number[] {
  const sources = new Array<number>(length).fill(-1);
  for (const { target, count, source, step } of runsOf(offset, length, boundary)) {
    for (let i = 0; i < count; i++) sources[target + i] = source + step * i;
  }
  return sources;
}

/** Calls `visit` with every edge. */
function forEachEdge(
  { height, width, offsets, boundary }: Shifts,
  visit: (term: number, source: number, target: number) => void,
): void {
  for (const [term, [dy, dx]] of offsets.entries()) {
    const [rows, columns] = [sourcesOf(dy, height, boundary), sourcesOf(dx, width, boundary)];
    for (const [y, sourceY] of rows.entries()) {
      for (const [x, sourceX] of columns.entries()) {
        if (sourceY >= 0 && sourceX >= 0) visit(term, sourceY * width + sourceX, y * width + x);
      }
    }
  }
}

function countEdges({ height, width, offsets, boundary }: Shifts): number {
  const reads = (offset: number, length: number) => runsOf(offset, length, boundary).reduce((sum, { count }) => sum + count, 0);
  return offsets.reduce((sum, [dy, dx]) => sum + reads(dy, height) * reads(dx, width), 0);
}

function specOf(shifts: Shifts, flipped: boolean): BasisSpec {
  const { name, height, width, offsets, boundary } = shifts;
  const nodes = height * width;
  const call = { offsets: JSON.stringify(offsets), boundary, height, width, adjoint: flipped };
  const applied = (x: Tensor3D | Tensor4D, mode: TermMode) => shiftTermsOperator.run({ x }, { ...call, mode }).output;
  return {
    name,
    terms: offsets.length,
    inputSize: nodes,
    outputSize: nodes,
    edges: countEdges(shifts),
    apply: (x) => applied(x, 'spread') as Tensor4D,
    applySum: (h) => applied(h, 'sum') as Tensor3D,
    applyEach: (h) => applied(h, 'each') as Tensor4D,
    transposed: () => specOf(shifts, !flipped),
    toDense() {
      const matrices = new Float32Array(offsets.length * nodes * nodes);
      forEachEdge(shifts, (term, source, target) => {
        const [row, column] = flipped ? [target, source] : [source, target];
        matrices[(term * nodes + row) * nodes + column] = 1;
      });
      return tensor3d(matrices, [offsets.length, nodes, nodes]);
    },
  };
}

function checkLength(functionName: string, name: string, length: unknown): void {
  if (!Number.isSafeInteger(length) || (length as number) < 1) {
    throw new OptionError(`${functionName}: ${name} must be an integer above 0, got ${String(length)}`);
  }
}

/**
 * Shifts of a sequence as a convolution basis: term k is the shift matrix of offset d_k, `A_k[m, n] = 1` where n - m = d_k. Matrices are never made unless `toDense` is asked for.
 *
 * @param length - Of the sequence, N.
 * @param offsets - Target - source, at least one; any order.
 * @param options - `boundary` (default `'zero'`), as of `shift`.
 * @returns The basis, for `generalizedConvolution`; it holds no tensors. Applying it is differentiable in what it is applied to.
 * @throws OptionError for a length below 1, no offsets, and offsets that are no integers or that `'reflect'` cannot hold.
 * @remarks O(terms N) per channel, by copies alone. With `'zero'` and `'circular'` (offsets distinct modulo N) the shifts are orthogonal: their Gram matrix is
 *   diagonal, N - |d_k| or N. The convolution itself is `shiftConvolution`, which is faster.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289
 * @example
 * const output = generalizedConvolution(x, shiftBasis1d(128, [0, 1, 2]), fullParameter(theta));
 */
export function shiftBasis1d(length: number, offsets: readonly number[], options: ShiftBasisOptions = {}): ConvolutionBasis {
  checkOptions('shiftBasis1d', options, { boundary: boundaries });
  const { boundary = 'zero' } = options;
  checkLength('shiftBasis1d', 'length', length);
  offsetsAttribute('shiftBasis1d', offsets, { length }, boundary, offsets?.length);
  const pairs = offsets.map((offset): Offset2d => [0, offset]);
  return defineBasis(specOf({ name: 'shiftBasis1d', height: 1, width: length, offsets: pairs, boundary }, false));
}

/**
 * Shifts of a grid as a convolution basis over its places in row-major order: the matrix of a pair is the Kronecker product of those of its two offsets.
 *
 * @param grid - `[height, width]`.
 * @param offsets - Pairs `[dy, dx]` of target - source, at least one.
 * @param options - `boundary` (default `'zero'`), on both axes.
 * @returns The basis; as of `shiftBasis1d`.
 * @throws OptionError as `shiftBasis1d`.
 * @see Andreoli 2019, https://arxiv.org/abs/1905.01289
 * @example
 * const basis = shiftBasis2d([14, 14], [[0, 0], [1, 0], [0, 1]]);
 */
export function shiftBasis2d(
  [height, width]: readonly [height: number, width: number],
  offsets: readonly Offset2d[],
  options: ShiftBasisOptions = {},
): ConvolutionBasis {
  checkOptions('shiftBasis2d', options, { boundary: boundaries });
  const { boundary = 'zero' } = options;
  checkLength('shiftBasis2d', 'height', height);
  checkLength('shiftBasis2d', 'width', width);
  offsetsAttribute('shiftBasis2d', offsets, { height, width }, boundary, offsets?.length);
  return defineBasis(specOf({ name: 'shiftBasis2d', height, width, offsets, boundary }, false));
}
