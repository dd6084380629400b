import { checkOptions, type OptionRule } from '@mixfold/tensor-ops';
import type { serialization } from '@tensorflow/tfjs-core';
import { type initializers, layers } from '@tensorflow/tfjs-layers';

export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;
type Initializer = ReturnType<typeof initializers.zeros>;
export type LayerVariable = ReturnType<layers.Layer['addWeight']>;
export type Shape = (number | null)[];
/** An initializer, its name, or its configuration. */
export type InitializerArg = Initializer | string | serialization.ConfigDict;

/** What tfjs itself takes and writes for any layer; their values are its own to check. */
const layerOptions = [
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

/** Checks the options of a layer that are not every layer's. */
export function checkLayerOptions(className: string, args: object, rules: Record<string, OptionRule>): void {
  const own = Object.fromEntries(Object.entries(args).filter(([name]) => !layerOptions.includes(name)));
  checkOptions(className, own, rules);
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

/** The shape of the only input, or of the first. */
export const firstShape = (inputShape: Shape | Shape[]): Shape =>
  (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
