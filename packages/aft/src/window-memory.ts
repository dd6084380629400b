import { concat, fill, reshape, slice, type Tensor, type Tensor2D, tidy, zeros } from '@tensorflow/tfjs-core';
import { NONE } from './masked-sources';

/** How wide a key and a value are, and how many of them the window remembers. */
export interface MemorySizes {
  readonly keyWidth: number;
  readonly dim: number;
  readonly past: number;
}

/**
 * Where each part begins in a row of `memory`: of the sources that have left the window the largest key `[keyWidth]`, and relative to it the
 * numerator `[dim]` and the denominator `[keyWidth]`; then the last keys `[past, keyWidth]` and values `[past, dim]`, the oldest first.
 * A source that does not exist has keys of `NONE` and values of 0.
 */
export function memoryLayout({ keyWidth, dim, past }: MemorySizes) {
  const [numerator, denominator] = [keyWidth, keyWidth + dim];
  const keys = denominator + keyWidth;
  const values = keys + past * keyWidth;
  return { largest: 0, numerator, denominator, keys, values, length: values + past * dim };
}

/** The parts of a memory, `[batch, steps, width]`; no keys and values where the window remembers none. */
export interface MemoryParts {
  readonly sums: readonly [largest: Tensor, numerator: Tensor, denominator: Tensor];
  readonly sources?: { readonly keys: Tensor; readonly values: Tensor } | undefined;
}

/** Takes a memory apart, as tfjs ops. */
export function splitMemory(memory: Tensor, sizes: MemorySizes): MemoryParts {
  const { keyWidth, dim, past } = sizes;
  const layout = memoryLayout(sizes);
  const part = (begin: number, steps: number, width: number) =>
    reshape(slice(memory, [0, begin], [-1, steps * width]), [-1, steps, width]);
  return {
    sums: [part(layout.largest, 1, keyWidth), part(layout.numerator, 1, dim), part(layout.denominator, 1, keyWidth)],
    sources: past === 0 ? undefined : { keys: part(layout.keys, past, keyWidth), values: part(layout.values, past, dim) },
  };
}

/** Puts a memory together, as tfjs ops. */
export function joinMemory({ sums, sources }: MemoryParts): Tensor2D {
  const parts = sources === undefined ? sums : [...sums, sources.keys, sources.values];
  return concat(
    parts.map((part) => reshape(part, [part.shape[0]!, part.shape[1]! * part.shape[2]!])),
    1,
  ) as Tensor2D;
}

/** The memory of `batch` sequences before their first source. */
export function emptyMemory(batch: number, sizes: MemorySizes): Tensor2D {
  const { keyWidth, dim, past } = sizes;
  return tidy(() =>
    concat(
      [
        fill([batch, keyWidth], NONE),
        zeros([batch, dim + keyWidth]),
        fill([batch, past * keyWidth], NONE),
        zeros([batch, past * dim]),
      ],
      1,
    ),
  ) as Tensor2D;
}
