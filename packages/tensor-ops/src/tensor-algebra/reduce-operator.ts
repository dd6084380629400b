import { defineOperator } from '../operator/define-operator';
import { longSizes } from './pair-layout';
import { expandOperand, reduceOperand } from './reduce-operand';

const attributes = { xLabels: '', yLabels: '', xShape: '' };

/** A shape as an attribute. */
export const shapeText = (shape: readonly number[]): string => shape.join();

/** The shape that an attribute holds. */
export const textShape = (text: string): number[] => (text === '' ? [] : text.split(',').map(Number));

/** The gradient of `einsumReduceOperator`. */
export const einsumReduceBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'EinsumReduceBackward',
  publicName: 'einsum',
  inputs: { dY: '...y' },
  attributes,
  outputs: { dX: '...x' },
  shapes: (_, { xShape }) => ({ '...x': textShape(xShape) }),
  compose: ({ dY }, { xLabels, yLabels, xShape }) => ({ dX: expandOperand(dY, yLabels, xLabels, textShape(xShape)) }),
});

/**
 * What `einsum` does to one tensor: diagonals over labels that stand twice, sums over those that the result lacks, and a transpose. The shape of
 * the tensor is an attribute too, for the gradient, which so need not keep the tensor.
 */
export const einsumReduceOperator = /* @__PURE__ */ defineOperator({
  name: 'EinsumReduce',
  publicName: 'einsum',
  inputs: { x: '...x' },
  attributes,
  outputs: { y: '...y' },
  shapes({ x }, { xLabels, yLabels }) {
    const sizes = longSizes([xLabels, x!]);
    return { '...y': [...yLabels].map((label) => sizes[label] ?? 1) };
  },
  compose: ({ x }, { xLabels, yLabels }) => ({ y: reduceOperand(x, xLabels, yLabels) }),
  backward: einsumReduceBackwardOperator,
});
