export { type IstaOptions, ista, istaBackwardOperator, istaOperator } from './ista/ista';
export { type MssaAttributes, type MssaOptions, mssa, mssaBackwardOperator, mssaOperator } from './mssa/mssa';
export { mssaAttention, mssaAttentionOperator } from './mssa/mssa-attention';
export type { Phi, PhiThreshold } from './mssa/phi';
