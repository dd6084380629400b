export type { InitializerArg } from '@mixfold/tensor-ops/layers';
export type { Combination, ShiftAttentionArgs } from './shift-attention-args';
export { ShiftAttention, type ShiftAttentionState } from './shift-attention-layer';
export { ShiftConvolution, type ShiftConvolutionArgs } from './shift-convolution-layer';
