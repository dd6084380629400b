import type { Tensor } from '@tensorflow/tfjs-core';
import { byColumn, byRow, composedDots, composedProduct } from '../sparse-product/composed';

interface EdgeInputs {
  left: Tensor;
  right: Tensor;
  edgeRow: Tensor;
  edgeColumn: Tensor;
  rowStart: Tensor;
  rowEdge: Tensor;
  columnStart: Tensor;
  columnEdge: Tensor;
}

type Longest = { longestRow: number; longestColumn: number };
type Call = { outputShapes: Readonly<Record<string, number[]>> };

export function composedEdgeProduct(given: EdgeInputs, _longest: Longest, { outputShapes }: Call): Record<string, Tensor> {
  const { left, right, edgeColumn, edgeRow } = given;
  const batch = outputShapes.output![0]!;
  return { output: composedDots(left, right, edgeColumn, edgeRow, batch) };
}

/** Each side receives the rows of the other, weighted by what arrives at their edges. */
export function composedEdgeProductBackward(
  given: EdgeInputs & { dOutput: Tensor },
  longest: Longest,
  { outputShapes: { dLeft, dRight } }: Call,
): Record<string, Tensor> {
  const { left, right, dOutput } = given;
  return {
    ...(dLeft ? { dLeft: composedProduct(right, dOutput, byColumn(given, longest), dLeft) } : {}),
    ...(dRight ? { dRight: composedProduct(left, dOutput, byRow(given, longest), dRight) } : {}),
  };
}
