import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
// Sums and products between the operators are tfjs's, and so are their gradients.
import '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import type { WasmBackend } from '../wasm/index';
import { enableWasmKernels } from '../wasm-kernels/enable-wasm-kernels';
import { TestTransformer } from './test-transformer';

/** Bytes that the heap has, and the address of a block that fits only above all that is in use. */
function wasmHeap(): { bytes: number; top: number } {
  const { wasm } = tf.backend() as unknown as WasmBackend;
  const top = wasm._malloc(2 ** 23);
  wasm._free(top);
  return { bytes: wasm.HEAPU8.byteLength, top };
}

/** How far the blocks in use may spread: less than 32 bytes a step, which is less than the smallest tensor takes. */
const SPREAD = 2 ** 15;

async function train(model: TestTransformer, from: number, to: number): Promise<number> {
  let loss = 0;
  for (let step = from; step < to; step++) loss = await model.step(step);
  return loss;
}

describeBackends(
  'training',
  (backend) => {
    const onWasm = backend.name === 'wasm';
    const [settled, steps] = onWasm ? [20, 1020] : [10, 20];
    test(`holds after ${steps} steps what it held after ${settled}, and learns`, async () => {
      const report = onWasm ? await enableWasmKernels() : undefined;
      const model = new TestTransformer();
      const first = await train(model, 0, 1);
      await train(model, 1, settled);
      const [before, heapBefore] = [tf.memory(), onWasm && wasmHeap()];
      const last = await train(model, settled, steps);
      const [after, heapAfter] = [tf.memory(), onWasm && wasmHeap()];
      model.dispose();
      report?.restore();
      expect(after).toEqual(before);
      expect(last).toBeLessThan(first - 0.5);
      if (!heapBefore || !heapAfter) return;
      expect(heapAfter.bytes).toBe(heapBefore.bytes);
      expect(heapAfter.top - heapBefore.top).toBeLessThan(SPREAD);
    }, 60_000);
  },
  { only: ['wasm', 'webgpu'] },
);
