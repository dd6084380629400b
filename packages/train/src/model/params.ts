import type { Tensor } from '@tensorflow/tfjs-core';

/** A model's weights: a nested plain object of tensors. Paths join the names by dots, as in `blocks.0.mixer.query`. */
export interface Params {
  [name: string]: Tensor | Params;
}

/** The tensors of nested params with their paths, in the order of the object. */
export function flattenParams(params: Params, prefix = ''): [path: string, tensor: Tensor][] {
  return Object.entries(params).flatMap(([name, value]) =>
    isTensor(value) ? [[prefix + name, value] as [string, Tensor]] : flattenParams(value, `${prefix}${name}.`),
  );
}

/** Nested params of the same structure as `template`, with the tensors given in the order of `flattenParams`. */
export function rebuildParams<P extends Params>(template: P, tensors: readonly Tensor[]): P {
  let next = 0;
  const rebuild = (node: Params): Params =>
    Object.fromEntries(Object.entries(node).map(([name, value]) => [name, isTensor(value) ? tensors[next++]! : rebuild(value)]));
  return rebuild(template) as P;
}

/** Disposes every tensor of the params. */
export function disposeParams(params: Params): void {
  for (const [, tensor] of flattenParams(params)) tensor.dispose();
}

/** Number of weights. */
export function countParams(params: Params): number {
  return flattenParams(params).reduce((sum, [, tensor]) => sum + tensor.size, 0);
}

const isTensor = (value: Tensor | Params): value is Tensor => typeof (value as Tensor).dataSync === 'function';
