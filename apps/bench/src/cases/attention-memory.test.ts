import '@tensorflow/tfjs-layers';
import { describeBackends } from '@mixfold/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { attentionPeak } from './attention-memory';

describeBackends(
  'scaledDotProductAttention over a long sequence',
  ({ wasmBuild }) => {
    // tfjs's own copies what a tape saves.
    beforeEach(() => useOurKernels(wasmBuild!));
    afterEach(useStockKernels);

    test('holds memory in proportion to its length, a small share of what the weights would take', () => {
      const [short, long] = [512, 4096].map(attentionPeak) as [number, number];
      expect(long / short).toBeLessThan(8.5);
      expect(long).toBeLessThan((4 * 2 * 4096 * 4096) / 25);
    });
  },
  { only: ['wasm'] },
);
