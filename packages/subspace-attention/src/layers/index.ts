export type { InitializerArg } from '@mixfold/tensor-ops/layers';
export { AttentionOnlyBlock, type AttentionOnlyBlockArgs } from './attention-only-block';
export { CrateBlock, type CrateBlockArgs } from './crate-block';
export { Ista, type IstaArgs } from './ista-layer';
export type { ResidualArgs } from './residual-layer';
export type { SubspaceLayerArgs } from './subspace-args';
export { SubspaceAttention } from './subspace-attention-layer';
export type { SubspaceInitializer } from './subspace-initializer';
