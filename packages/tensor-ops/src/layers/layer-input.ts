import type { Tensor } from '@tensorflow/tfjs-core';
import { ShapeError } from '../errors';

/** A shape in a model: null where a size is not fixed. */
export type Shape = (number | null)[];

/** The shape of the only input, or of the first. */
const firstShape = (inputShape: Shape | Shape[]): Shape => (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;

/**
 * The shape of the one input of a layer, whose last axis must be known.
 *
 * @param className - For errors. @param axes - What the axes are called, for errors: `['batch', 'time', 'dim']`.
 * @returns The shape, and the size of its last axis.
 * @throws ShapeError for another number of axes, or an unknown last one.
 */
export function knownShape(
  className: string,
  inputShape: Shape | Shape[],
  axes: readonly string[],
): [shape: Shape, width: number] {
  const shape = firstShape(inputShape);
  if (shape.length !== axes.length) {
    throw new ShapeError(`${className}: input must have ${axes.length} axes [${axes.join(' ')}], got [${shape.join(', ')}]`);
  }
  const width = shape.at(-1);
  if (typeof width !== 'number') throw new ShapeError(`${className}: the last axis of the input must be known, got ${width}`);
  return [shape, width];
}

/** The one input of a layer, and the mask that an earlier layer computed for it. */
export function inputOf(
  inputs: Tensor | Tensor[],
  kwargs: Record<string, unknown>,
): { readonly x: Tensor; readonly mask: Tensor | undefined } {
  const masks = kwargs?.mask as Tensor | Tensor[] | null | undefined;
  return { x: Array.isArray(inputs) ? inputs[0]! : inputs, mask: (Array.isArray(masks) ? masks[0] : masks) ?? undefined };
}

/** What a layer's `computeMask` gives that passes the mask of its one input, or of the first, on. */
export const passedMask = (mask?: Tensor | Tensor[]): Tensor => (Array.isArray(mask) ? mask[0]! : mask) as Tensor;
