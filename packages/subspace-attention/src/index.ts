export { type IstaOptions, ista, istaBackwardOperator, istaOperator } from './ista/ista';
