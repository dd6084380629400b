export type { DenoisingOperator } from './denoising-layer';
export { type DepthOptions, predictedSnr, type SnrPrediction, safeDepth, tauUpperBound } from './predictions';
export { type DenoisingOptions, type DenoisingRun, runDenoising } from './run-denoising';
export { type Mixture, type MixtureOptions, sampleMixture } from './sample-mixture';
