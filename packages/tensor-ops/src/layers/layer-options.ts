import type { layers } from '@tensorflow/tfjs-layers';
import { checkOptions, type OptionRule } from '../check-options';

/** What tfjs lets any layer be configured by: its name, the shape of its input, and more. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof layers.Layer>[0]>;

/** What tfjs itself takes and writes for any layer; their values are its own to check. */
const tfjsOptions = [
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

/**
 * Checks the options of a layer that are not every layer's.
 *
 * @param className - For errors. @param args - What the layer was configured by. @param rules - Every option of its own, with what it may hold.
 * @throws OptionError naming the option, the rule and the value found.
 */
export function checkLayerOptions(className: string, args: object, rules: Record<string, OptionRule>): void {
  const own = Object.fromEntries(Object.entries(args).filter(([name]) => !tfjsOptions.includes(name)));
  checkOptions(className, own, rules);
}
