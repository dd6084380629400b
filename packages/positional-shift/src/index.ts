export type { Boundary } from './boundary';
export { causalOffsets, offsetFromKeyMinusQuery, symmetricOffsets } from './offsets';
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
