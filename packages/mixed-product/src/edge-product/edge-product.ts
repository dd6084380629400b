import { defineOperator } from '@mixfold/tensor-ops';
import { composedEdgeProduct, composedEdgeProductBackward } from './composed';
import { wasmEdgeProduct, wasmEdgeProductBackward } from './wasm';
import { webgpuEdgeProduct, webgpuEdgeProductBackward } from './webgpu';

const attributes = { longestRow: 0, longestColumn: 0 };
const attributeRules = { longestRow: 'nonNegativeInteger', longestColumn: 'nonNegativeInteger' } as const;
const dtypes = {
  edgeRow: 'int32',
  edgeColumn: 'int32',
  rowStart: 'int32',
  rowEdge: 'int32',
  columnStart: 'int32',
  columnEdge: 'int32',
} as const;

/** The gradient of `edgeProductOperator`. */
export const edgeProductBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'EdgeProductBackward',
  publicName: 'edgeProduct',
  inputs: {
    left: 'batch columns channels',
    right: 'batch rows channels',
    edgeRow: 'edges',
    edgeColumn: 'edges',
    rowStart: 'rowStarts',
    rowEdge: 'edges',
    columnStart: 'columnStarts',
    columnEdge: 'edges',
    dOutput: 'batch edges',
  },
  dtypes,
  attributes,
  attributeRules,
  outputs: { dLeft: 'batch columns channels', dRight: 'batch rows channels' },
  compose: composedEdgeProductBackward,
  kernels: { wasm: wasmEdgeProductBackward, webgpu: webgpuEdgeProductBackward },
});

/**
 * What two sets of nodes have in common, edge by edge: `output[b, e] = <left[b, edgeColumn[e]], right[b, edgeRow[e]]>`. The scores of attention along
 * edges. The edges are listed as in `sparseProductOperator`.
 */
export const edgeProductOperator = /* @__PURE__ */ defineOperator({
  name: 'EdgeProduct',
  inputs: {
    left: 'batch columns channels',
    right: 'batch rows channels',
    edgeRow: 'edges',
    edgeColumn: 'edges',
    rowStart: 'rowStarts',
    rowEdge: 'edges',
    columnStart: 'columnStarts',
    columnEdge: 'edges',
  },
  dtypes,
  attributes,
  attributeRules,
  outputs: { output: 'batch edges' },
  compose: composedEdgeProduct,
  kernels: { wasm: wasmEdgeProduct, webgpu: webgpuEdgeProduct },
  backward: edgeProductBackwardOperator,
  separateGradients: true,
});
