import type { Attributes, ComposeCall } from '@mixfold/tensor-ops';
import { concat, mul, pad, reshape, slice, sum, type Tensor, type Tensor2D, tidy } from '@tensorflow/tfjs-core';
import { sumOf } from './composed';
import { geometryOf } from './geometry';
import { asRows, readByTerm, returnedByTerm } from './terms';

const rowOf = (theta: Tensor, term: number): Tensor2D => slice(theta, [term, 0], [1, -1]) as Tensor2D;

/** Term by term: shifted rows times a number per channel. */
export function composedShiftDepthwise(
  { x, theta }: { x: Tensor; theta: Tensor },
  attributes: Attributes,
  { sizes }: ComposeCall,
): Record<string, Tensor> {
  const geometry = geometryOf(sizes, attributes);
  const rows = asRows(x);
  const output = sumOf(geometry.offsets.length, (k) => mul(readByTerm(rows, geometry, geometry.offsets[k]!), rowOf(theta, k)));
  return { output: reshape(output, x.shape) };
}

export function composedShiftDepthwiseBackward(
  { x, theta, dOutput }: { x: Tensor; theta: Tensor; dOutput: Tensor },
  attributes: Attributes,
  { sizes, outputShapes }: ComposeCall,
): Record<string, Tensor> {
  const geometry = geometryOf(sizes, attributes);
  const { offsets } = geometry;
  const [rows, received] = [asRows(x), asRows(dOutput)];
  const made: Record<string, Tensor> = {};
  if (outputShapes.dX) {
    const dX = sumOf(offsets.length, (k) => returnedByTerm(mul(received, rowOf(theta, k)), geometry, offsets[k]!));
    made.dX = reshape(dX, x.shape);
  }
  if (outputShapes.dTheta) {
    const sums = offsets.map((offset) => tidy(() => sumOverRows(mul(readByTerm(rows, geometry, offset), received))));
    made.dTheta = concat(sums, 0);
  }
  return made;
}

/** The sum over rows, `[1, dim]`, by blocks of about the square root of their number, so that rounding does not add up. */
function sumOverRows(x: Tensor2D): Tensor2D {
  const [rows, dim] = x.shape;
  const block = Math.ceil(Math.sqrt(rows));
  const blocks = Math.ceil(rows / block);
  const padded = pad(x, [
    [0, blocks * block - rows],
    [0, 0],
  ]);
  return sum(sum(reshape(padded, [blocks, block, dim]), 1), 0, true);
}
