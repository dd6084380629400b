import { batchMatMul } from './batch-mat-mul';
import { conv2dBackpropFilter, conv2dBackpropInput } from './conv2d-gradient';
import { depthwiseBackpropFilter, depthwiseBackpropInput } from './depthwise-gradient';
import { einsumKernel } from './einsum';
import { erf, exp, tanh } from './elementwise';
import { fusedMatMul } from './fused-mat-mul';
import { gather } from './gather';
import { identity } from './identity';
import type { Replacement } from './replacement';
import { slice } from './slice';
import { softmax } from './softmax';
import { sum } from './sum';
import { transpose } from './transpose';
import { unsortedSegmentSum } from './unsorted-segment-sum';

/** Our kernels by the names that tfjs has for them. */
export const replacements: Readonly<Record<string, Replacement>> = {
  BatchMatMul: () => batchMatMul,
  _FusedMatMul: () => fusedMatMul,
  UnsortedSegmentSum: () => unsortedSegmentSum,
  Exp: exp,
  Tanh: tanh,
  Erf: erf,
  Softmax: softmax,
  Sum: sum,
  Transpose: transpose,
  Identity: identity,
  Slice: slice,
  GatherV2: gather,
  Conv2DBackpropFilter: conv2dBackpropFilter,
  Conv2DBackpropInput: conv2dBackpropInput,
  DepthwiseConv2dNativeBackpropFilter: depthwiseBackpropFilter,
  DepthwiseConv2dNativeBackpropInput: depthwiseBackpropInput,
  Einsum: einsumKernel,
};
