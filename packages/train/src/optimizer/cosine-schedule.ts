import { checkOptions } from '@mixfold/tensor-ops';

/** Settings of `cosineSchedule`. */
export interface CosineScheduleOptions {
  /** Highest rate. */
  rate: number;
  /** Number of updates in all. */
  steps: number;
  /** Updates over which the rate rises from 0; default a twentieth of all. */
  warmup?: number;
  /** Rate at the end as a fraction of the highest; default 0.1. */
  finalFraction?: number;
}

/**
 * Rate of every update, counted from 0: linear warm-up, then half a cosine down to the final fraction.
 *
 * @throws OptionError for an unknown option or one out of its range.
 */
export function cosineSchedule(options: CosineScheduleOptions): (step: number) => number {
  checkOptions('cosineSchedule', options, {
    rate: 'positive',
    steps: 'positiveInteger',
    warmup: 'nonNegativeInteger',
    finalFraction: 'nonNegative',
  });
  const { rate, steps, warmup = Math.ceil(steps / 20), finalFraction = 0.1 } = options;
  return (step) => {
    if (step < warmup) return (rate * (step + 1)) / warmup;
    const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
    return rate * (finalFraction + (1 - finalFraction) * 0.5 * (1 + Math.cos(Math.PI * progress)));
  };
}
