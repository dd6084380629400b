import type { serialization } from '@tensorflow/tfjs-core';
import { type initializers, layers } from '@tensorflow/tfjs-layers';

/** What draws the first values of a weight. */
export type Initializer = ReturnType<typeof initializers.zeros>;

/** An initializer, its name, or its configuration. */
export type InitializerArg = Initializer | string | serialization.ConfigDict;

/** An initializer, and what a model file says of it. */
export interface ReadInitializer {
  readonly initializer: Initializer;
  readonly config: serialization.ConfigDictValue;
}

/**
 * Reads an initializer by name, configuration or object. tfjs does so in its own layers only; so a dense layer reads and writes it.
 *
 * @throws tfjs's own error for a name or a configuration that it does not know.
 */
export function readInitializer(initializer: InitializerArg): ReadInitializer {
  const dense = layers.dense({ units: 1, name: 'initializer', kernelInitializer: initializer as Initializer });
  const { kernelInitializer } = dense as unknown as { kernelInitializer: Initializer };
  return { initializer: kernelInitializer, config: dense.getConfig().kernelInitializer! };
}
