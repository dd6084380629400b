import { type Tensor4D, tensor2d } from '@tensorflow/tfjs-core';
import { bindShapes } from '../bind-shapes';
import { checkOptions } from '../check-options';
import { ShapeError } from '../errors';
import { defineOperator } from '../operator/define-operator';
import { composedRotary, composedRotaryBackward } from './composed';
import { type RotaryAttributes, type RotaryPairing, rotaryPairings, rotationTable } from './rotation-table';
import { wasmRotary, wasmRotaryBackward } from './wasm';
import { webgpuRotary, webgpuRotaryBackward } from './webgpu';

/** Options of `rotaryEmbedding`. */
export interface RotaryEmbeddingOptions {
  /** Pair i turns by `base^(-2 i / headDim)` per step. Default 10,000. */
  readonly base?: number | undefined;
  /** The time of the first step, for a sequence that is continued. Default 0. */
  readonly offset?: number | undefined;
  /** Whether a pair is two adjacent channels, as in the paper, or a channel of each half, as in GPT-NeoX and Llama. Default `'adjacent'`. */
  readonly pairing?: RotaryPairing | undefined;
}

const attributes: RotaryAttributes = { pairing: 'adjacent' };
const attributeRules = { pairing: rotaryPairings };

function checkEven({ x }: Readonly<Record<string, readonly number[]>>) {
  if (x![3]! % 2 === 0) return {};
  throw new ShapeError(
    `rotaryEmbedding: axis 'headDim' must be even, is ${x![3]} in x\n  x  [batch heads time headDim]  [${x!.join(', ')}]`,
  );
}

/** The gradient of `rotaryEmbeddingOperator`: the same turns backwards. */
export const rotaryEmbeddingBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'RotaryEmbeddingBackward',
  publicName: 'rotaryEmbedding',
  inputs: { table: 'time headDim', dOutput: 'batch heads time headDim' },
  attributes,
  attributeRules,
  outputs: { dX: 'batch heads time headDim' },
  compose: composedRotaryBackward,
  kernels: { wasm: wasmRotaryBackward, webgpu: webgpuRotaryBackward },
});

/** Pairs of channels turned by given angles: `table` holds the cosines of all pairs, then their sines. The table gets no gradient. */
export const rotaryEmbeddingOperator = /* @__PURE__ */ defineOperator({
  name: 'RotaryEmbedding',
  inputs: { x: 'batch heads time headDim', table: 'time headDim' },
  attributes,
  attributeRules,
  outputs: { output: 'batch heads time headDim' },
  shapes: checkEven,
  compose: composedRotary,
  kernels: { wasm: wasmRotary, webgpu: webgpuRotary },
  backward: rotaryEmbeddingBackwardOperator,
});

/**
 * Rotary position embedding: each pair of channels is turned by an angle proportional to its time, so that the product of a turned query and a
 * turned key depends on their distance alone.
 *
 * @param x - `[batch, heads, time, headDim]`, queries or keys; headDim is even.
 * @param options - `base` (default 10,000), `offset` (default 0), `pairing` (default `'adjacent'`).
 * @returns The shape of `x`. New tensor; the caller disposes it.
 * @throws ShapeError if headDim is odd; DTypeError; OptionError for an unknown option or value.
 * @remarks O(size) time. Angles are exact to float32 at any time and offset. Differentiable in `x`.
 * @see Su et al. 2021, https://arxiv.org/abs/2104.09864
 * @example
 * const scores = tf.matMul(rotaryEmbedding(query), rotaryEmbedding(key), false, true);
 */
export function rotaryEmbedding(x: Tensor4D, options: RotaryEmbeddingOptions = {}): Tensor4D {
  checkOptions('rotaryEmbedding', options, { base: 'positive', offset: 'finite', pairing: rotaryPairings });
  const { time, headDim } = bindShapes('rotaryEmbedding', { x: [x, 'batch heads time headDim'] });
  const { base = 10_000, offset = 0, pairing = 'adjacent' } = options;
  const table = tensor2d(rotationTable(time, headDim, base, offset), [time, headDim]);
  try {
    return rotaryEmbeddingOperator.run({ x, table }, { pairing }).output;
  } finally {
    table.dispose();
  }
}
