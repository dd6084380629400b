export type { Boundary } from './boundary';
export {
  type FractionalBoundary,
  type FractionalShiftOptions,
  fractionalShift,
  fractionalShiftBackwardOperator,
  fractionalShiftOperator,
} from './fractional-shift/fractional-shift';
export { causalOffsets, offsetFromKeyMinusQuery, symmetricOffsets } from './offsets';
export { alibiBias, alibiSlopes } from './relative-bias/alibi-bias';
export {
  relativePositionBias,
  relativePositionBiasBackwardOperator,
  relativePositionBiasOperator,
} from './relative-bias/relative-position-bias';
export { type T5Options, t5Bias, t5Buckets } from './relative-bias/t5-bias';
export { type TisaParameters, tisaBias, tisaProfileBackwardOperator, tisaProfileOperator } from './relative-bias/tisa-bias';
export { type ShiftOptions, shift, shiftBackwardOperator, shiftOperator } from './shift/shift';
export {
  type ShiftConvolutionOptions,
  shiftConvolution,
  shiftConvolutionBackwardOperator,
  shiftConvolutionOperator,
} from './shift-convolution/shift-convolution';
export {
  type ShiftConvolution2dOptions,
  shiftConvolution2d,
  shiftConvolution2dBackwardOperator,
  shiftConvolution2dOperator,
} from './shift-convolution/shift-convolution-2d';
export {
  shiftConvolutionDepthwise,
  shiftConvolutionDepthwise2d,
  shiftConvolutionDepthwise2dBackwardOperator,
  shiftConvolutionDepthwise2dOperator,
  shiftConvolutionDepthwiseBackwardOperator,
  shiftConvolutionDepthwiseOperator,
} from './shift-convolution/shift-convolution-depthwise';
export { type ShiftMixtureOptions, shiftMixture } from './shift-mixture/shift-mixture';
