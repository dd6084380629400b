import type { Tensor } from '@tensorflow/tfjs-core';

/** A model's weights: a nested plain object of tensors. Paths join the names by dots, as in `blocks.0.mixer.query`. */
export interface Params {
  [name: string]: Tensor | Params;
}

/**
 * The tensors of nested params with their paths, ordered by name (numbers by value), whatever the order in which the object was
 * made: moments and checkpoints rely on it.
 */
export function flattenParams(params: Params, prefix = ''): [path: string, tensor: Tensor][] {
  return entriesByName(params).flatMap(([name, value]) =>
    isTensor(value) ? [[prefix + name, value] as [string, Tensor]] : flattenParams(value, `${prefix}${name}.`),
  );
}

/** Nested params of the same structure as `template`, with the tensors given in the order of `flattenParams`. */
export function rebuildParams<P extends Params>(template: P, tensors: readonly Tensor[]): P {
  let next = 0;
  const rebuild = (node: Params): Params =>
    Object.fromEntries(entriesByName(node).map(([name, value]) => [name, isTensor(value) ? tensors[next++]! : rebuild(value)]));
  return rebuild(template) as P;
}

/** Nests tensors by their paths: the inverse of `flattenParams`. */
export function nestParams(tensors: Iterable<readonly [path: string, tensor: Tensor]>): Params {
  const params: Params = Object.create(null);
  for (const [path, tensor] of tensors) {
    const names = path.split('.');
    const last = names.pop()!;
    let node = params;
    for (const name of names) node = (node[name] ??= Object.create(null)) as Params;
    node[last] = tensor;
  }
  return params;
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

function entriesByName(params: Params): [string, Tensor | Params][] {
  return Object.entries(params).sort(([a], [b]) => {
    const bothNumbers = /^\d+$/.test(a) && /^\d+$/.test(b);
    return bothNumbers ? Number(a) - Number(b) : a < b ? -1 : 1;
  });
}
