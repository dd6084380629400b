export type { InitializerArg } from './layer-parts';
export type { Combination, ShiftAttentionArgs } from './shift-attention-args';
export { ShiftAttention, type ShiftAttentionState } from './shift-attention-layer';
export { ShiftConvolution, type ShiftConvolutionArgs } from './shift-convolution-layer';
