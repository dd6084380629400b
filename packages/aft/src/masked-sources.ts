import { cast, expandDims, fill, notEqual, type Tensor, where, zerosLike } from '@tensorflow/tfjs-core';

/** Stands for minus infinity in a maximum: `NONE - NONE` is 0, where -Infinity would give NaN. */
export const NONE = -1e30;

/** Keys and values in which a masked source weighs nothing, whatever it holds. */
export interface MaskedSources {
  readonly key: Tensor;
  readonly value: Tensor;
  /** `[batch, time, 1]`, 1 where the source exists; null if all do. */
  readonly exists: Tensor | null;
}

/** Applies a `[batch, time]` mask by selection, so that a masked NaN does not survive. */
export function maskSources(key: Tensor, value: Tensor, keyMask: Tensor | undefined): MaskedSources {
  if (keyMask === undefined) return { key, value, exists: null };
  const attended = expandDims(notEqual(keyMask, 0), 2);
  return {
    key: where(attended, key, fill(key.shape, NONE)),
    value: where(attended, value, zerosLike(value)),
    exists: cast(attended, 'float32'),
  };
}
