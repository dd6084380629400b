import { env } from '@tensorflow/tfjs-core';
import { afterEach, beforeEach } from 'vitest';

/**
 * Turns off tfjs's own check for leaks inside kernels, which takes what a custom gradient saves for its backward, and frees with the tape, for
 * a leak. The guards of `describeBackends` and `expectNoLeak` count after the tape is gone, and stay on.
 */
export function allowSavedTensors(): void {
  beforeEach(() => env().set('IS_TEST', false));
  afterEach(() => env().set('IS_TEST', true));
}
