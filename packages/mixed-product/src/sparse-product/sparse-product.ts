import { defineOperator, ShapeError } from '@mixfold/tensor-ops';
import { composedSparseProduct, composedSparseProductBackward } from './composed';
import { edgeAttributeRules, edgeAttributes, edgeDtypes } from './edge-contract';
import { wasmSparseProduct, wasmSparseProductBackward } from './wasm';
import { webgpuSparseProduct, webgpuSparseProductBackward } from './webgpu';

/** The gradient of `sparseProductOperator`. */
export const sparseProductBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'SparseProductBackward',
  publicName: 'sparseProduct',
  inputs: {
    x: 'batch columns channels',
    weight: 'samples edges',
    edgeRow: 'edges',
    edgeColumn: 'edges',
    rowStart: 'rowStarts',
    rowEdge: 'edges',
    columnStart: 'columnStarts',
    columnEdge: 'edges',
    dOutput: 'batch rows channels',
  },
  dtypes: edgeDtypes,
  attributes: edgeAttributes,
  attributeRules: edgeAttributeRules,
  outputs: { dX: 'batch columns channels', dWeight: 'samples edges' },
  compose: composedSparseProductBackward,
  kernels: { wasm: wasmSparseProductBackward, webgpu: webgpuSparseProductBackward },
});

/** Rows follow from their starts; weights are one set for all samples or one for each. */
function outputShape({ x, weight, rowStart }: Readonly<Record<string, readonly number[]>>): { '...output': readonly number[] } {
  const [batch, , channels] = x as readonly [number, number, number];
  if (weight![0] !== 1 && weight![0] !== batch) {
    throw new ShapeError(`sparseProduct: there are weights of ${weight![0]} samples, but the batch is ${batch}`);
  }
  return { '...output': [batch, rowStart![0]! - 1, channels] };
}

/**
 * A sparse matrix times the rows of `x`, forward and backward: `output[b, i] = sum over the edges e of row i of weight[b, e] x[b, edgeColumn[e]]`.
 * `rowEdge` lists the edges by row, those of row i from `rowStart[i]` on, `columnEdge` by column. Indices are trusted: `edgeLists` makes and checks them.
 */
export const sparseProductOperator = /* @__PURE__ */ defineOperator({
  name: 'SparseProduct',
  inputs: {
    x: 'batch columns channels',
    weight: 'samples edges',
    edgeRow: 'edges',
    edgeColumn: 'edges',
    rowStart: 'rowStarts',
    rowEdge: 'edges',
    columnStart: 'columnStarts',
    columnEdge: 'edges',
  },
  dtypes: edgeDtypes,
  attributes: edgeAttributes,
  attributeRules: edgeAttributeRules,
  outputs: { output: '...output' },
  shapes: outputShape,
  compose: composedSparseProduct,
  kernels: { wasm: wasmSparseProduct, webgpu: webgpuSparseProduct },
  backward: sparseProductBackwardOperator,
  separateGradients: true,
});
