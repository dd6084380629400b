import type { Tensor } from '@tensorflow/tfjs-core';
import { defineOperator } from '../operator/define-operator';
import { permuteAxes, viewAs } from './permute-axes';
import { shapeText, textShape } from './reduce-operator';

const attributes = { given: '', split: '', order: '', result: '' };

/** The gradient of `rearrangeOperator`. */
export const rearrangeBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'RearrangeBackward',
  publicName: 'rearrange',
  inputs: { dY: '...y' },
  attributes,
  outputs: { dX: '...x' },
  shapes: (_, { given }) => ({ '...x': textShape(given) }),
  compose({ dY }, { given, split, order }) {
    const [axes, sizes] = [textShape(order), textShape(split)];
    const moved = viewAs(
      dY,
      axes.map((axis) => sizes[axis]!),
    );
    const back = axes.map((_, axis) => axes.indexOf(axis));
    return { dX: viewAs(permuteAxes(moved, back), textShape(given)) };
  },
});

/**
 * A reshape to `split`, a transpose by `order` and a reshape to `result`, in one step whose gradient needs none of tfjs's. The attributes are
 * sizes and axes with commas between; `given` is the shape of the input.
 */
export const rearrangeOperator = /* @__PURE__ */ defineOperator({
  name: 'Rearrange',
  publicName: 'rearrange',
  inputs: { x: '...x' },
  attributes,
  outputs: { y: '...y' },
  shapes: (_, { result }) => ({ '...y': textShape(result) }),
  compose({ x }, { split, order, result }) {
    return { y: viewAs(permuteAxes(viewAs(x, textShape(split)), textShape(order)), textShape(result)) };
  },
  backward: rearrangeBackwardOperator,
});

/** `x` reshaped to `split`, transposed by `order`, reshaped to `result`; differentiable. */
export function rearranged<T extends Tensor>(
  x: Tensor,
  split: readonly number[],
  order: readonly number[],
  result: readonly number[],
): T {
  const attributes = { given: shapeText(x.shape), split: shapeText(split), order: shapeText(order), result: shapeText(result) };
  return rearrangeOperator.run({ x }, attributes).y as T;
}
