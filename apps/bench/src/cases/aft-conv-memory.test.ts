import '@tensorflow/tfjs-layers';
import { describeBackends } from '@mixfold/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { convBuffers } from './aft-conv-memory';

describeBackends(
  'aftConv1d over a long sequence',
  ({ wasmBuild }) => {
    // tfjs's own copies what a tape saves.
    beforeEach(() => useOurKernels(wasmBuild!));
    afterEach(useStockKernels);

    test.each([
      [1, false],
      [64, false],
      [64, true],
    ])('with %i heads, causal %s, holds at most 8 buffers of [time, dim] at once', (heads, causal) => {
      const buffers = convBuffers(16384, heads, causal);
      expect(buffers).toBeGreaterThan(3);
      expect(buffers).toBeLessThan(8);
    });
  },
  { only: ['wasm'] },
);
