import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { describeBackends } from './index';
import { expectNoLeak, openTestScope } from './leak-guard';

describeBackends('the leak guard', () => {
  test('passes when nothing is left', async () => {
    const x = tf.ones([4]);
    await expectNoLeak(() => tf.tidy(() => tf.exp(tf.neg(x))));
  });

  test('finds a tensor that the result does not own', async () => {
    const x = tf.ones([4]);
    await expect(expectNoLeak(() => tf.exp(tf.neg(x)))).rejects.toThrow(/one call leaked: tensors \d+ -> \d+/);
  });

  test('finds a kernel that leaves data behind', () => {
    const x = tf.ones([2]);
    tf.registerKernel({
      kernelName: 'LeavesDataBehind',
      backendName: tf.getBackend(),
      kernelFunc: () => {
        tf.ones([3]);
        return tf.ones([2]);
      },
    });
    expect(() => tf.engine().runKernel('LeavesDataBehind', { x })).toThrow(/internal memory leak \(1 data ids\)/);
    tf.unregisterKernel('LeavesDataBehind', tf.getBackend());
  });

  test('lets a custom gradient save tensors', () => {
    const root = tf.customGrad((x, save) => {
      const y = tf.sqrt(x as tf.Tensor);
      (save as tf.GradSaveFunc)([tf.mul(y, 2)]);
      return { value: y, gradFunc: (dy: tf.Tensor, [twice]: tf.Tensor[]) => tf.div(dy, twice!) };
    });
    const gradient = tf.grad((x: tf.Tensor) => root(x))(tf.tensor([4, 9]), tf.tensor([1, 1]));
    expect(gradient.shape).toEqual([2]);
  });

  test('a test owns its tensors, but not those it keeps', () => {
    const close = openTestScope();
    const kept = tf.keep(tf.ones([2]));
    expect(close).toThrow(/the test leaked/);
    kept.dispose();
    const closeAgain = openTestScope();
    tf.ones([2]);
    closeAgain();
  });
});

interface WasmHeap {
  readonly wasm: { _malloc(bytes: number): number; _free(pointer: number): void; readonly HEAPU8: Uint8Array };
}

describeBackends(
  'the watched WASM heap',
  () => {
    test('counts blocks, and fills them with NaN', async () => {
      const { wasm } = tf.backend() as unknown as WasmHeap;
      const pointers: number[] = [];
      await expect(expectNoLeak(() => void pointers.push(wasm._malloc(64)))).rejects.toThrow(
        /wasmBlocks 0 -> 1|wasmBlocks 1 -> 2/,
      );
      const floats = new Float32Array(wasm.HEAPU8.buffer, pointers[0]! >>> 0, 16);
      expect(floats.every(Number.isNaN)).toBe(true);
      for (const pointer of pointers) wasm._free(pointer);
    });
  },
  { only: ['wasm'] },
);
