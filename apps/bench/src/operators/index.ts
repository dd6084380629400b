import type { OperatorCase } from '../operator-case';
import { aftConvCases } from './aft-conv';
import { aftFullCase, aftFullFactoredCase } from './aft-full';
import { aftLocalCases } from './aft-local';
import { aftSimpleCases } from './aft-simple';
import { attentionCases } from './attention';
import { crossEntropyCase, crossEntropyTargetsCase } from './cross-entropy';
import { cumulativeSumCase } from './cumulative-sum';
import { depthwiseConv1dCase, depthwiseConv2dCase } from './depthwise-conv';
import { dropoutCase } from './dropout';
import { embeddingCase } from './embedding';
import { geluCase } from './gelu';
import { edgeProductCase, edgeSoftmaxCase, graphConvolutionCase } from './graph-convolution';
import { istaCase } from './ista';
import { einsumCase, matMulCase } from './mat-mul';
import { mssaCases } from './mssa';
import { normalizeConvKernelCase } from './normalize-conv-kernel';
import { layerNormCase, rmsNormCase } from './norms';
import { adamWCase, globalNormCase } from './optimizer';
import { orthonormalityPenaltyCase } from './orthonormality-penalty';
import { relativePositionBiasCase } from './relative-position-bias';
import { rotaryEmbeddingCase } from './rotary-embedding';
import { fractionalShiftCase, shiftCase } from './shift';
import {
  shiftConvolution2dCase,
  shiftConvolutionCase,
  shiftConvolutionDepthwise2dCase,
  shiftConvolutionDepthwiseCase,
} from './shift-convolution';
import { logSumExpCase, maskedSoftmaxCase, softmaxCase } from './softmax';

/** Every operator, in the order of the reports. A new one is a file beside this one and a line here. */
export const operatorCases: readonly OperatorCase[] = [
  ...aftSimpleCases,
  ...aftConvCases,
  normalizeConvKernelCase,
  ...aftLocalCases,
  aftFullCase,
  aftFullFactoredCase,
  ...attentionCases,
  ...mssaCases,
  istaCase,
  orthonormalityPenaltyCase,
  graphConvolutionCase,
  edgeProductCase,
  edgeSoftmaxCase,
  layerNormCase,
  rmsNormCase,
  softmaxCase,
  maskedSoftmaxCase,
  logSumExpCase,
  crossEntropyCase,
  crossEntropyTargetsCase,
  geluCase,
  cumulativeSumCase,
  depthwiseConv1dCase,
  depthwiseConv2dCase,
  embeddingCase,
  rotaryEmbeddingCase,
  shiftCase,
  fractionalShiftCase,
  relativePositionBiasCase,
  shiftConvolutionCase,
  shiftConvolution2dCase,
  shiftConvolutionDepthwiseCase,
  shiftConvolutionDepthwise2dCase,
  matMulCase,
  einsumCase,
  dropoutCase,
  globalNormCase,
  adamWCase,
];
