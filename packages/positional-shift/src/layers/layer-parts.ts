import { add, matMul, reshape, type serialization, type Tensor, type Variable } from '@tensorflow/tfjs-core';
import { type initializers, layers } from '@tensorflow/tfjs-layers';

export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;
export type LayerVariable = ReturnType<layers.Layer['addWeight']>;
export type Shape = (number | null)[];
type Initializer = ReturnType<typeof initializers.zeros>;
/** An initializer, its name, or its configuration. */
export type InitializerArg = Initializer | string | serialization.ConfigDict;

/** What tfjs itself takes and writes for any layer; their values are its own to check. */
const layerOptions = [
  'kernelInitializer',
  'name',
  'trainable',
  'dtype',
  'inputShape',
  'batchInputShape',
  'batchSize',
  'weights',
  'inputDType',
  'updatable',
  'customObjects',
];

/** The options that are a layer's own to check. */
export function ownOptions(args: object): object {
  return Object.fromEntries(Object.entries(args).filter(([name]) => !layerOptions.includes(name)));
}

/** tfjs reads initializers, by name, configuration or object, in its own layers only; so a dense layer reads and writes ours. */
export function readInitializer(initializer: InitializerArg): {
  readonly initializer: Initializer;
  readonly config: serialization.ConfigDictValue;
} {
  const dense = layers.dense({ units: 1, name: 'initializer', kernelInitializer: initializer as Initializer });
  const { kernelInitializer } = dense as unknown as { kernelInitializer: Initializer };
  return { initializer: kernelInitializer, config: dense.getConfig().kernelInitializer! };
}

/** The one input of a layer, and the mask that an earlier layer computed for it. */
export function inputOf(
  inputs: Tensor | Tensor[],
  kwargs: Record<string, unknown>,
): { readonly x: Tensor; readonly mask: Tensor | undefined } {
  const masks = kwargs?.mask as Tensor | Tensor[] | null | undefined;
  return { x: Array.isArray(inputs) ? inputs[0]! : inputs, mask: (Array.isArray(masks) ? masks[0] : masks) ?? undefined };
}

/** A projection of the last axis, in two dimensions: the gradient that tfjs has for a product of [batch, time, dim] and a matrix throws. */
export function project(x: Tensor, kernel: LayerVariable, bias: LayerVariable | undefined): Tensor {
  const width = x.shape.at(-1)!;
  const matrix = kernel.read() as Variable;
  const product = matMul(reshape(x, [x.size / width, width]), matrix);
  return reshape(bias ? add(product, bias.read()) : product, [...x.shape.slice(0, -1), matrix.shape[1]!]);
}

/** The shape of one input of `[batch, time, dim]`, with a known dim. */
export function sequenceShape(
  layerName: string,
  inputShape: Shape | Shape[],
  refuse: (message: string) => Error,
): [Shape, number] {
  const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
  if (shape.length !== 3) throw refuse(`${layerName}: input must have 3 axes [batch time dim], got [${shape.join(', ')}]`);
  const width = shape[2];
  if (typeof width !== 'number') throw refuse(`${layerName}: the last axis of the input must be known, got ${width}`);
  return [shape, width];
}
