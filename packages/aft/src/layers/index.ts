export type { InitializerArg } from '@mixfold/tensor-ops/layers';
export { AftConv1d, type Conv1dLayerArgs } from './aft-conv-1d-layer';
export { AftConv2d, type Conv2dLayerArgs } from './aft-conv-2d-layer';
export { AftFull } from './aft-full-layer';
export { AftLocal, type LocalLayerArgs } from './aft-local-layer';
export { AftSimple } from './aft-simple-layer';
export type { BiasLayerArgs } from './biased-layer';
export type { ConvLayerArgs } from './convolutional-layer';
export type { AftLayerArgs } from './projected-layer';
