export type { Boundary } from './boundary';
export {
  type FractionalBoundary,
  type FractionalShiftOptions,
  fractionalShift,
  fractionalShiftBackwardOperator,
  fractionalShiftOperator,
} from './fractional-shift/fractional-shift';
export type { HeadLabel, HeadScore } from './head-analysis/head-score';
export { projectOntoShifts, type ShiftProjection } from './head-analysis/project-onto-shifts';
export { averageRelativeMap1d, averageRelativeMap2d } from './head-analysis/relative-maps';
export { type HeadReplacement, type ReplaceHeadOptions, replaceHeadByShift } from './head-analysis/replace-head-by-shift';
export { type ScoreOptions, scoreHead, scoreHeads } from './head-analysis/score-head';
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
export { type ShiftBasisOptions, shiftBasis1d, shiftBasis2d } from './shift-basis/shift-basis';
export { shiftTermsBackwardOperator, shiftTermsOperator } from './shift-basis/shift-terms';
export type { Offset2d } from './shift-convolution/geometry';
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
