import { checkTensor, defineOperator, OptionError, ShapeError } from '@mixfold/tensor-ops';
import type { Tensor2D, Tensor3D } from '@tensorflow/tfjs-core';
import { composedRelativeBias, composedRelativeBiasBackward } from './composed';
import { wasmRelativeBias, wasmRelativeBiasBackward } from './wasm';
import { webgpuRelativeBias, webgpuRelativeBiasBackward } from './webgpu';

type Shapes = Readonly<Record<string, readonly number[]>>;

/** The gradient of `relativePositionBiasOperator`: sums over diagonals. */
export const relativePositionBiasBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'RelativePositionBiasBackward',
  publicName: 'relativePositionBias',
  inputs: { values: 'heads offsets', dBias: 'heads target source' },
  attributes: { length: 0 },
  attributeRules: { length: 'nonNegativeInteger' },
  outputs: { dValues: 'heads offsets' },
  compose: composedRelativeBiasBackward,
  kernels: { wasm: wasmRelativeBiasBackward, webgpu: webgpuRelativeBiasBackward },
});

/** A table over offsets as a matrix over pairs. */
export const relativePositionBiasOperator = /* @__PURE__ */ defineOperator({
  name: 'RelativePositionBias',
  inputs: { values: 'heads offsets' },
  attributes: { length: 0 },
  attributeRules: { length: 'nonNegativeInteger' },
  outputs: { bias: '...bias' },
  shapes: ({ values }: Shapes, { length }: { length: number }) => ({ '...bias': [values![0]!, length, length] }),
  compose: composedRelativeBias,
  kernels: { wasm: wasmRelativeBias, webgpu: webgpuRelativeBias },
  backward: relativePositionBiasBackwardOperator,
});

/**
 * A bias per head and offset as one per head and pair, for the scores of attention: entry (target, source) is the value at target - source.
 *
 * @param values - `[heads, 2 N - 1]`, float32; column j is for the offset `j - (N - 1)`, so the middle one is the token itself and what is right of it looks back. A wider
 *   table `[heads, 2 M - 1]`, M > N, is cut to its middle; its gradient is 0 outside.
 * @param N - Length of the sequence.
 * @returns `[heads, target, source]`, N by N: `bias` of `scaledDotProductAttention`. New tensor; the caller disposes it.
 * @throws ShapeError if the table has an even number of columns, or too few; OptionError if N is no integer, 0 or above; DTypeError.
 * @remarks O(heads N^2), by copies alone: no gather. Differentiable in `values`: the gradient sums over diagonals.
 * @see Raffel et al. 2020 (T5), https://arxiv.org/abs/1910.10683, whose memory - query is the opposite of the offset: `offsetFromKeyMinusQuery`
 * @example
 * const bias = relativePositionBias(values, 128);
 * const output = scaledDotProductAttention(query, key, value, { bias, causal: true });
 */
export function relativePositionBias(values: Tensor2D, N: number): Tensor3D {
  checkTensor('relativePositionBias', 'values', values, ['float32']);
  if (!Number.isSafeInteger(N) || N < 0) {
    throw new OptionError(`relativePositionBias: N must be an integer, 0 or above, got ${String(N)}`);
  }
  const columns = values.shape[1];
  if (values.rank === 2 && N > 0 && (columns! % 2 === 0 || columns! < 2 * N - 1)) {
    throw new ShapeError(
      `relativePositionBias: values must have 2 N - 1 = ${2 * N - 1} columns, one per offset, or a larger odd number, got ${columns}`,
    );
  }
  return relativePositionBiasOperator.run({ values }, { length: N }).bias as Tensor3D;
}
