import '@tensorflow/tfjs-layers';
import { describeBackends } from '@mixfold/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { mssaPeak } from './mssa-memory';

describeBackends(
  'mssa over a long sequence',
  ({ wasmBuild }) => {
    // tfjs's own copies what a tape saves.
    beforeEach(() => useOurKernels(wasmBuild!));
    afterEach(useStockKernels);

    test.each([false, true])('holds memory in proportion to its length, causal %s', (causal) => {
      const [short, long] = [1024, 4096].map((time) => mssaPeak(time, causal)) as [number, number];
      expect(long / short).toBeLessThan(4.5);
      expect(long).toBeLessThan((4 * 2 * 4096 * 4096) / 25);
    });
  },
  { only: ['wasm'] },
);
