export type { InitializerArg } from '@mixfold/tensor-ops/layers';
export type { BasisDescription } from './basis-description';
export {
  GeneralizedConvolution,
  type GeneralizedConvolutionArgs,
  type ParameterArgs,
} from './generalized-convolution-layer';
export { GraphConvolution, type GraphConvolutionArgs } from './graph-convolution-layer';
export { MultiHeadAttention, type MultiHeadAttentionArgs } from './multi-head-attention-layer';
