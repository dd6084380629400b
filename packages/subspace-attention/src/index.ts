export { type IstaOptions, ista, istaBackwardOperator, istaOperator } from './ista/ista';
export { type MssaAttributes, type MssaOptions, mssa, mssaBackwardOperator, mssaOperator } from './mssa/mssa';
export { mssaAttention, mssaAttentionOperator } from './mssa/mssa-attention';
export type { Phi, PhiThreshold } from './mssa/phi';
export { disposeState, exportState, importState, type MssaState, type MssaStateData, mssaState } from './mssa/state';
export { type MssaStreamed, type MssaStreamingOptions, mssaPrefill, mssaStep } from './mssa/streaming';
export { mssaStreamingBackwardOperator, mssaStreamingOperator } from './mssa/streaming-operator';
export { type InitialSubspacesOptions, initialSubspaces, type SubspaceDraw } from './subspaces/initial-subspaces';
export {
  orthonormalityPenalty,
  orthonormalityPenaltyBackwardOperator,
  orthonormalityPenaltyOperator,
} from './subspaces/orthonormality-penalty';
export { orthonormalize } from './subspaces/orthonormalize';
