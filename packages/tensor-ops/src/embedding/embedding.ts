import type { Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { defineOperator } from '../operator/define-operator';
import { composedEmbedding, composedEmbeddingBackward } from './composed';
import { wasmEmbedding, wasmEmbeddingBackward } from './wasm';
import { webgpuEmbedding, webgpuEmbeddingBackward } from './webgpu';

/** The gradient of `embeddingOperator`. It asks for the table because of its size. */
export const embeddingBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'EmbeddingBackward',
  publicName: 'embedding',
  inputs: { table: 'classes dim', ids: '...ids', dOutput: '...ids dim' },
  dtypes: { ids: 'int32' },
  outputs: { dTable: 'classes dim' },
  compose: composedEmbeddingBackward,
  kernels: { wasm: wasmEmbeddingBackward, webgpu: webgpuEmbeddingBackward },
});

/** Rows of a table by id. */
export const embeddingOperator = /* @__PURE__ */ defineOperator({
  name: 'Embedding',
  inputs: { table: 'classes dim', ids: '...ids' },
  dtypes: { ids: 'int32' },
  outputs: { output: '...ids dim' },
  compose: composedEmbedding,
  kernels: { wasm: wasmEmbedding, webgpu: webgpuEmbedding },
  backward: embeddingBackwardOperator,
});

/**
 * The rows of a table that ids point at.
 *
 * @param table - `[classes, dim]`, float32.
 * @param ids - int32, of any shape. What it holds cannot be checked without waiting for the device: an id outside `[0, classes)` gives a row of
 *   zeros and receives no gradient.
 * @returns `[...ids, dim]`. New tensor; the caller disposes it.
 * @throws ShapeError; DTypeError if the ids are not int32.
 * @remarks O(ids dim) time; the gradient O((classes + ids) dim) on WASM. The gradient adds the rows of an id in the order in which they stand, so
 *   it is the same on every run. Differentiable in `table`.
 * @example
 * const tokens = embedding(table, ids); // ids [batch, time] gives [batch, time, dim]
 */
export function embedding(table: Tensor2D, ids: Tensor): Tensor {
  return embeddingOperator.run({ table, ids }).output;
}
