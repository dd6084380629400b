export { type AftAttentionOptions, aftAttention } from './aft-attention/aft-attention';

export { aftConv1d, aftConv1dBackwardOperator, aftConv1dOperator } from './aft-conv-1d/aft-conv-1d';
export {
  type AftConv1dStreamed,
  aftConv1dPrefill,
  aftConv1dState,
  aftConv1dStep,
} from './aft-conv-1d/streaming';
export { aftConv1dStreamingBackwardOperator, aftConv1dStreamingOperator } from './aft-conv-1d/streaming-operator';
export { aftConv2d, aftConv2dBackwardOperator, aftConv2dOperator } from './aft-conv-2d/aft-conv-2d';

export {
  aftFull,
  aftFullBackwardOperator,
  aftFullFactoredBackwardOperator,
  aftFullFactoredOperator,
  aftFullOperator,
} from './aft-full/aft-full';
export { aftFullFallback } from './aft-full/fallback-share';
export {
  type AftLocalOptions,
  aftLocal,
  aftLocalBandedBackwardOperator,
  aftLocalBandedOperator,
  aftLocalDenseBackwardOperator,
  aftLocalDenseOperator,
  aftLocalFactoredBackwardOperator,
  aftLocalFactoredOperator,
} from './aft-local/aft-local';
export {
  type AftLocalState,
  type AftLocalStateSizes,
  type AftLocalStreamed,
  aftLocalPrefill,
  aftLocalState,
  aftLocalStep,
} from './aft-local/streaming';
export {
  type AftOptions,
  aftSimple,
  aftSimpleBackwardOperator,
  aftSimpleCausalBackwardOperator,
  aftSimpleCausalOperator,
  aftSimpleOperator,
} from './aft-simple/aft-simple';
export {
  type AftStreamed,
  type AftStreamingOptions,
  aftSimplePrefill,
  aftSimpleState,
  aftSimpleStep,
} from './aft-simple/streaming';
export {
  type NormalizeConvKernelOptions,
  normalizeConvKernel,
  normalizeConvKernelBackwardOperator,
  normalizeConvKernelOperator,
} from './normalize-conv-kernel/normalize-conv-kernel';
export type { BandedBias, FactoredBias, PositionBias } from './position-bias';

export type { QueryActivation } from './query-activation';
export { type AftState, disposeState, exportState, importState, type StateData } from './state';
export type { WindowedState } from './windowed-state';
