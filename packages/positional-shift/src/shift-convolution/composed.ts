import type { Attributes, ComposeCall } from '@mixfold/tensor-ops';
import { add, matMul, type Rank, reshape, slice, stack, type Tensor, type Tensor2D, tidy } from '@tensorflow/tfjs-core';
import { geometryOf } from './geometry';
import { asRows, readByTerm, returnedByTerm } from './terms';

/** The sum of `count` tensors, each made when its turn comes. */
export function sumOf(count: number, make: (index: number) => Tensor2D): Tensor2D {
  let total: Tensor2D | undefined;
  for (let i = 0; i < count; i++) {
    const before: Tensor2D | undefined = total;
    total = tidy((): Tensor2D => (before === undefined ? make(i) : add(before, make(i))));
    before?.dispose();
  }
  return total!;
}

const parametersOf = (theta: Tensor, term: number) =>
  reshape<Rank.R2>(slice(theta, [term, 0, 0], [1, -1, -1]), theta.shape.slice(1) as [number, number]);

/** Term by term: shifted rows times its parameters. */
export function composedShiftConvolution(
  { x, theta }: { x: Tensor; theta: Tensor },
  attributes: Attributes,
  { sizes, outputShapes }: ComposeCall,
): Record<string, Tensor> {
  const geometry = geometryOf(sizes, attributes);
  const { offsets } = geometry;
  const rows = asRows(x);
  const output = sumOf(offsets.length, (k) => matMul(readByTerm(rows, geometry, offsets[k]!), parametersOf(theta, k)));
  return { output: reshape(output, outputShapes.output!) };
}

/** Term by term: the gradient of x goes back the way it came, that of its parameters is a product over time. */
export function composedShiftConvolutionBackward(
  { x, theta, dOutput }: { x: Tensor; theta: Tensor; dOutput: Tensor },
  attributes: Attributes,
  { sizes, outputShapes }: ComposeCall,
): Record<string, Tensor> {
  const geometry = geometryOf(sizes, attributes);
  const { offsets } = geometry;
  const [rows, received] = [asRows(x), asRows(dOutput)];
  const made: Record<string, Tensor> = {};
  if (outputShapes.dX) {
    const dX = sumOf(offsets.length, (k) =>
      returnedByTerm(matMul(received, parametersOf(theta, k), false, true), geometry, offsets[k]!),
    );
    made.dX = reshape(dX, x.shape);
  }
  if (outputShapes.dTheta) {
    made.dTheta = stack(offsets.map((offset) => tidy(() => matMul(readByTerm(rows, geometry, offset), received, true, false))));
  }
  return made;
}
