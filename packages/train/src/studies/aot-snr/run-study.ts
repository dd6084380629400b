import { type DenoisingOperator, predictedSnr, runDenoising, safeDepth, tauUpperBound } from '@mixfold/subspace-attention/theory';
import { denoiseOnDevice } from './denoise-on-device';

/** What the study of signal against noise runs on. */
export interface StudyConfig {
  /** Tokens, N. */
  readonly tokens: number;
  /** Dimension of the space, d, at least `heads * headDim`. */
  readonly dim: number;
  /** Dimension of each subspace, p. */
  readonly headDim: number;
  /** Subspaces, K, at least 2. */
  readonly heads: number;
  /** Deviations of the noise, each above 0: one chart each. */
  readonly noise: readonly number[];
  /** Step size, eta. */
  readonly stepSize: number;
  /** Threshold and weight of the theorem's operator. */
  readonly tau: number;
  readonly layers: number;
  /** Seeds of the mixtures. */
  readonly seeds: readonly number[];
}

/** One mixture through the layers of one operator. */
export interface StudyRun {
  readonly noise: number;
  readonly operator: DenoisingOperator;
  readonly seed: number;
  /** `[layers + 1][heads]`: the signal-to-noise ratio before the first layer and after each. */
  readonly snr: number[][];
  /** Layers, from the first on, that multiply every ratio by `1 + stepSize tau` to 1e-9. */
  readonly exactLayers: number;
  /** What puts the run outside the theorem. */
  readonly outside: string[];
  /** `[layers + 1]`: by how much the ratios of `mssa` in float32 differ from these, at most, relative to them. */
  readonly float32Difference: number[];
  readonly seconds: number;
}

/** What the theory says about one noise. */
export interface StudyPrediction {
  readonly noise: number;
  /** `[layers + 1]`: the theorem's growth from the ratio that is expected at the start. */
  readonly snr: number[];
  /** The layer up to which the theorem can be relied on. */
  readonly safeDepth: number;
}

/** Everything that came out. */
export interface StudyResult {
  readonly config: StudyConfig;
  /** The largest tau that the theorem allows; the smallest is above 1/2. */
  readonly tauUpperBound: number;
  readonly predictions: StudyPrediction[];
  readonly runs: StudyRun[];
}

export const operators: readonly DenoisingOperator[] = ['theorem', 'practical', 'softmax'];

/**
 * Follows the signal-to-noise ratio of mixtures through attention-only layers, in float64: with the operator of the theorem, with that of practice, and with
 * plain softmax, beside what the theorem predicts. `mssa` does the same in float32 on the current backend, from the same mixtures.
 *
 * @param report - called after every run.
 */
export async function runStudy(
  config: StudyConfig,
  report: (run: StudyRun, done: number, of: number) => void = () => {},
): Promise<StudyResult> {
  const { noise: noises, seeds, ...sizes } = config;
  const runs: StudyRun[] = [];
  const of = noises.length * seeds.length * operators.length;
  for (const noise of noises) {
    for (const operator of operators) {
      for (const seed of seeds) {
        const began = performance.now();
        const { snr, exact, outside, mixture } = runDenoising({ ...sizes, noise, operator, seed });
        const float32 = await denoiseOnDevice(mixture, { ...sizes, operator });
        const float32Difference = snr.map((ratios, layer) => largestDifference(float32[layer]!, ratios));
        const failed = exact.indexOf(false);
        const exactLayers = failed < 0 ? exact.length : failed;
        const seconds = (performance.now() - began) / 1000;
        const run = { noise, operator, seed, snr, exactLayers, outside, float32Difference, seconds };
        runs.push(run);
        report(run, runs.length, of);
      }
    }
  }
  const predictions = noises.map((noise) => ({
    noise,
    snr: predictedSnr({ noise, ...pick(config) }),
    safeDepth: safeDepth({ noise, headDim: config.headDim, stepSize: config.stepSize, tau: config.tau }),
  }));
  return { config, tauUpperBound: tauUpperBound({ tokens: config.tokens, headDim: config.headDim }), predictions, runs };
}

const pick = ({ heads, stepSize, tau, layers }: StudyConfig) => ({ heads, stepSize, tau, layers });

const largestDifference = (values: readonly number[], exact: readonly number[]): number =>
  Math.max(...values.map((value, k) => Math.abs(value - exact[k]!) / exact[k]!));
