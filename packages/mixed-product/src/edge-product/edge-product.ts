import { defineOperator } from '@mixfold/tensor-ops';
import { edgeAttributeRules, edgeAttributes, edgeDtypes } from '../sparse-product/edge-contract';
import { composedEdgeProduct, composedEdgeProductBackward } from './composed';
import { wasmEdgeProduct, wasmEdgeProductBackward } from './wasm';
import { webgpuEdgeProduct, webgpuEdgeProductBackward } from './webgpu';

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
  dtypes: edgeDtypes,
  attributes: edgeAttributes,
  attributeRules: edgeAttributeRules,
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
  dtypes: edgeDtypes,
  attributes: edgeAttributes,
  attributeRules: edgeAttributeRules,
  outputs: { output: 'batch edges' },
  compose: composedEdgeProduct,
  kernels: { wasm: wasmEdgeProduct, webgpu: webgpuEdgeProduct },
  backward: edgeProductBackwardOperator,
  separateGradients: true,
});
