export { type AttentionBasisOptions, attentionBasis } from './attention/attention-basis';
export type { ScoreOptions } from './attention/scores';
export type { PairFeatures, RelativePositions, StructureOptions } from './attention/structure';
export {
  type AttentionStateSizes,
  type AttentionStreamed,
  type AttentionStreamingOptions,
  attentionPrefill,
  attentionState,
  attentionStep,
} from './attention-state/attention-state';
export { type AttentionState, type AttentionStateData, disposeState, exportState, importState } from './attention-state/state';
export { composeBases } from './basis/compose-bases';
export { concatBases } from './basis/concat-bases';
export { type BasisSpec, type ConvolutionBasis, defineBasis } from './basis/convolution-basis';
export { denseBasis } from './basis/dense-basis';
export type { Indices } from './basis/edge-indices';
export { reweightBasis } from './basis/reweight-basis';
export { type SparseEdges, sparseBasis } from './basis/sparse-basis';
export { transposeBasis } from './basis/transpose-basis';
export {
  type AttentionWeights,
  type MixedProductAttention,
  multiHeadAttentionToMixedProduct,
} from './conversions/attention-weights';
export { conv1dToMixedProduct, conv2dToMixedProduct, type MixedProductConvolution } from './conversions/convolution-weights';
export { edgeProductBackwardOperator, edgeProductOperator } from './edge-product/edge-product';
export { edgeSoftmaxBackwardOperator, edgeSoftmaxOperator } from './edge-softmax/edge-softmax';
export {
  type ConvolutionCost,
  type ConvolutionDims,
  convolutionCost,
  type EvaluationOrder,
} from './generalized-convolution/convolution-cost';
export { type ConvolutionOptions, generalizedConvolution } from './generalized-convolution/generalized-convolution';
export { chebyshevBasis } from './graphs/chebyshev-basis';
export { type EdgeAttentionOptions, edgeAttentionBasis } from './graphs/edge-attention-basis';
export { type GaussianMixtureOptions, gaussianMixtureBasis } from './graphs/gaussian-mixture-basis';
export { gcnBasis } from './graphs/gcn-basis';
export type { Graph } from './graphs/graph';
export { meanBasis } from './graphs/mean-basis';
export { relationalBasis } from './graphs/relational-basis';
export { type GridOptions1d, type GridOptions2d, gridBasis1d, gridBasis2d } from './grids/grid-basis';
export type { GridPadding } from './grids/taps';
export { dualBasis } from './inversion/dual-basis';
export { gram } from './inversion/gram';
export { type InversionOptions, invertMixedProduct, type MixedProductInversion } from './inversion/invert-mixed-product';
export { type NearestMixedProduct, nearestMixedProduct } from './inversion/nearest-mixed-product';
export { mixedProduct } from './mixed-product/mixed-product';
export {
  cpParameter,
  depthwiseParameter,
  fullParameter,
  groupedParameter,
  lowRankParameter,
  type Parameter,
  type ParameterKind,
  parameterCount,
  separableParameter,
  sharedLowRankParameter,
  tuckerParameter,
} from './parameter/parameter';
export { parameterTensor } from './parameter/parameter-tensor';
export {
  type AttentionOptions,
  scaledDotProductAttention,
  scaledDotProductAttentionBackwardOperator,
  scaledDotProductAttentionOperator,
} from './scaled-dot-product-attention/scaled-dot-product-attention';
export { sparseProductBackwardOperator, sparseProductOperator } from './sparse-product/sparse-product';
