import type { Attributes, ComposeCall } from '@mixfold/tensor-ops';
import type { Tensor } from '@tensorflow/tfjs-core';
import { composedConv, composedConvBackward } from '../conv-grid/composed';
import { geometryOf } from '../conv-grid/geometry';
import type { QueryActivation } from '../query-activation';

interface Inputs {
  query: Tensor;
  key: Tensor;
  value: Tensor;
  kernel: Tensor;
  keyMask?: Tensor | undefined;
}

const activationOf = ({ queryActivation }: Attributes) => queryActivation as QueryActivation;

/** AFT-conv over a grid. */
export function composedAftConv2d(inputs: Inputs, attributes: Attributes, { sizes }: ComposeCall): Record<string, Tensor> {
  return composedConv(inputs, activationOf(attributes), geometryOf(sizes, false));
}

export function composedAftConv2dBackward(
  inputs: Inputs & { context: Tensor; logNormalizer: Tensor; logRest: Tensor; dOutput: Tensor },
  attributes: Attributes,
  { sizes }: ComposeCall,
): Record<string, Tensor> {
  return composedConvBackward(inputs, activationOf(attributes), geometryOf(sizes, false));
}
