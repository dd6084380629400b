import { defineOperator } from '@mixfold/tensor-ops';
import { composedEdgeSoftmax, composedEdgeSoftmaxBackward } from './composed';
import { wasmEdgeSoftmax, wasmEdgeSoftmaxBackward } from './wasm';
import { webgpuEdgeSoftmax, webgpuEdgeSoftmaxBackward } from './webgpu';

const attributes = { longestRow: 0 };
const attributeRules = { longestRow: 'nonNegativeInteger' } as const;
const dtypes = { edgeRow: 'int32', rowStart: 'int32', rowEdge: 'int32' } as const;

/** The gradient of `edgeSoftmaxOperator`. */
export const edgeSoftmaxBackwardOperator = /* @__PURE__ */ defineOperator({
  name: 'EdgeSoftmaxBackward',
  publicName: 'edgeSoftmax',
  inputs: { edgeRow: 'edges', rowStart: 'rowStarts', rowEdge: 'edges', weights: 'batch edges', dWeights: 'batch edges' },
  dtypes,
  attributes,
  attributeRules,
  outputs: { dScores: 'batch edges' },
  compose: composedEdgeSoftmaxBackward,
  kernels: { wasm: wasmEdgeSoftmaxBackward, webgpu: webgpuEdgeSoftmaxBackward },
});

/** Softmax of scores that stand on edges, over the edges that end in one row. The edges are listed as in `sparseProductOperator`. */
export const edgeSoftmaxOperator = /* @__PURE__ */ defineOperator({
  name: 'EdgeSoftmax',
  inputs: { scores: 'batch edges', edgeRow: 'edges', rowStart: 'rowStarts', rowEdge: 'edges' },
  dtypes,
  attributes,
  attributeRules,
  outputs: { weights: 'batch edges' },
  compose: composedEdgeSoftmax,
  kernels: { wasm: wasmEdgeSoftmax, webgpu: webgpuEdgeSoftmax },
  backward: edgeSoftmaxBackwardOperator,
});
