export { attentionEntropy, selfWeight } from './attention-maps';
export { codingRate, codingRateGiven, type RateOptions, rateReduction } from './coding-rate';
export { effectiveRank, sparsity } from './effective-rank';
export type { Values } from './read-values';
export { type SignalToNoise, signalToNoise } from './signal-to-noise';
export { coherence, orthonormalityDefect, sigmaMax, type Tiedness, tiedness } from './subspace-geometry';
