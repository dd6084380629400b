export {
  type AttentionStateSizes,
  type AttentionStreamed,
  type AttentionStreamingOptions,
  attentionPrefill,
  attentionState,
  attentionStep,
} from './attention-state/attention-state';
export { type AttentionState, type AttentionStateData, disposeState, exportState, importState } from './attention-state/state';
export { type BasisSpec, type ConvolutionBasis, defineBasis } from './basis/convolution-basis';
export { denseBasis } from './basis/dense-basis';
export {
  type ConvolutionCost,
  type ConvolutionDims,
  convolutionCost,
  type EvaluationOrder,
} from './generalized-convolution/convolution-cost';
export { type ConvolutionOptions, generalizedConvolution } from './generalized-convolution/generalized-convolution';
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
