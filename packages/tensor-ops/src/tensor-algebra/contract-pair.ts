import { matMul, mul, type Tensor } from '@tensorflow/tfjs-core';
import { keepLabels, labelRuns, shapeOfLabels } from './axis-labels';
import { type PairLabels, type PairLayout, pairLayout } from './pair-layout';
import { sizeOf } from './parse-equation';
import { permuteLabels, RANK_LIMIT, viewAs } from './permute-axes';
import { sumLabels } from './sum-labels';

/** A product of stacks of matrices; a stack of one goes with any. */
export type MatrixProduct = (a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean) => Tensor;

const stockProduct: MatrixProduct = (a, b, transposeA, transposeB) => matMul(a, b, transposeA, transposeB);

/**
 * The sum over the labels that `y` lacks of the product of two tensors whose labels are distinct; each label stands in two of the three.
 *
 * One product of matrices; or one element by element, if nothing is contracted or all that is left of both operands is a stack of scalars.
 */
export function contractPair(a: Tensor, b: Tensor, labels: PairLabels, multiply: MatrixProduct = stockProduct): Tensor {
  const layout = pairLayout(labels, a.shape, b.shape);
  const { own, sizes, product, result } = layout;
  const [x, y] = [viewAs(a, shapeOfLabels(own[0], sizes)), viewAs(b, shapeOfLabels(own[1], sizes))];
  if (product === null) {
    const made = broadcastProduct(x, y, layout);
    const summed = sumLabels(made, layout.multiplied, (label) => result.includes(label), sizes);
    const left = keepLabels(layout.multiplied, (label) => result.includes(label));
    return viewAs(permuteLabels(viewAs(summed, shapeOfLabels(left, sizes)), left, result), shapeOfLabels(labels.yLabels, sizes));
  }
  const ordered = product.swapped ? ([y, own[1], x, own[0]] as const) : ([x, own[0], y, own[1]] as const);
  const [first, second] = product.operands;
  const made = multiply(
    viewAs(permuteLabels(ordered[0], ordered[1], first.labels), first.shape),
    viewAs(permuteLabels(ordered[2], ordered[3], second.labels), second.shape),
    first.transposed,
    second.transposed,
  );
  const arranged = permuteLabels(viewAs(made, shapeOfLabels(product.labels, sizes)), product.labels, result);
  return viewAs(arranged, shapeOfLabels(labels.yLabels, sizes));
}

/** The product of two tensors element by element; it has the labels `multiplied`. */
function broadcastProduct(x: Tensor, y: Tensor, { own: [a, b], sizes, multiplied }: PairLayout): Tensor {
  const owner = (label: string) => (a.includes(label) ? 1 : 0) + (b.includes(label) ? 2 : 0);
  let order = multiplied;
  if (labelRuns(order, owner).length > RANK_LIMIT) {
    order = [3, 1, 2].map((who) => keepLabels(multiplied, (label) => owner(label) === who)).join('');
  }
  const runs = labelRuns(order, owner);
  const view = (tensor: Tensor, own: string) => {
    const arranged = keepLabels(order, (label) => own.includes(label));
    const shape = runs.map((run) => (own.includes(run[0]!) ? sizeOf(run, sizes) : 1));
    return viewAs(permuteLabels(tensor, own, arranged), shape);
  };
  return permuteLabels(viewAs(mul(view(x, a), view(y, b)), shapeOfLabels(order, sizes)), order, multiplied);
}
