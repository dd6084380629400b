import { describeBackends, useBackend } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { registry } from '../operator/registry';
import { enableWasmKernels } from './enable-wasm-kernels';

afterEach(() => registry().wasmKernels?.restore());

describe('enableWasmKernels without the backend', () => {
  it('says what to import', async () => {
    expect(tf.findBackendFactory('wasm') ?? null).toBeNull();
    await expect(enableWasmKernels()).rejects.toThrow(
      /the 'wasm' backend is not registered; import '@tensorflow\/tfjs-backend-wasm' first/,
    );
  });
});

describeBackends(
  'enableWasmKernels',
  ({ wasmBuild }) => {
    it('reports what it did, once however often it is called', async () => {
      const stock = tf.getKernel('BatchMatMul', 'wasm').kernelFunc;
      const warn = vi.spyOn(console, 'warn');
      const first = await enableWasmKernels();
      expect(first).toMatchObject({
        replaced: [
          'BatchMatMul',
          '_FusedMatMul',
          'Exp',
          'Tanh',
          'Erf',
          'Softmax',
          'Sum',
          'Transpose',
          'Identity',
          'Slice',
          'GatherV2',
          'Conv2DBackpropInput',
        ],
        added: [
          'UnsortedSegmentSum',
          'Conv2DBackpropFilter',
          'DepthwiseConv2dNativeBackpropFilter',
          'DepthwiseConv2dNativeBackpropInput',
          'Einsum',
        ],
        build: wasmBuild,
        threads: 1,
      });
      const ours = tf.getKernel('BatchMatMul', 'wasm').kernelFunc;
      expect(ours).not.toBe(stock);
      const second = await enableWasmKernels({ threads: 'auto' });
      expect(second).toMatchObject({ replaced: first.replaced, added: first.added });
      expect(tf.getKernel('BatchMatMul', 'wasm').kernelFunc).toBe(ours);
      expect(warn).not.toHaveBeenCalled();
      warn.mockRestore();
    });

    it('puts every kernel of tfjs back', async () => {
      const registered = () => new Map(tf.getKernelsForBackend('wasm').map((kernel) => [kernel.kernelName, kernel]));
      const before = registered();
      const { replaced, added, restore } = await enableWasmKernels();
      for (const name of [...replaced, ...added]) expect(tf.getKernel(name, 'wasm')).not.toBe(before.get(name));
      restore();
      expect(registered()).toEqual(before);
      for (const [name, kernel] of before) expect(tf.getKernel(name, 'wasm'), name).toBe(kernel);
      expect(tf.getGradient('Einsum')).toBeUndefined();
    });

    it("puts tfjs's kernels back, which then work", async () => {
      const stock = tf.getKernel('_FusedMatMul', 'wasm').kernelFunc;
      const report = await enableWasmKernels();
      report.restore();
      report.restore();
      expect(tf.getKernel('_FusedMatMul', 'wasm').kernelFunc).toBe(stock);
      expect(tf.getKernel('UnsortedSegmentSum', 'wasm')).toBeUndefined();
      expect(Array.from(await tf.matMul(tf.ones([2, 3]), tf.ones([3, 1])).data())).toEqual([3, 3]);
      // A report of an earlier time must not undo a later one.
      const later = await enableWasmKernels();
      report.restore();
      expect(tf.getKernel('UnsortedSegmentSum', 'wasm')).toBeDefined();
      later.restore();
    });

    it('leaves other backends alone', async () => {
      const before = tf.getKernelsForBackend('cpu').length;
      await enableWasmKernels();
      expect(tf.getKernelsForBackend('cpu').length).toBe(before);
    });

    it('refuses options it does not have', async () => {
      await expect(enableWasmKernels({ threads: 0 })).rejects.toThrow(
        "enableWasmKernels: option threads must be 'auto' or an integer above 0, got 0",
      );
      await expect(enableWasmKernels({ thread: 1 } as never)).rejects.toThrow(/unknown option 'thread'/);
    });
  },
  { only: ['wasm'] },
);

describe('enableWasmKernels before the backend starts', () => {
  it('leaves it working, also after restore', async () => {
    await useBackend({ name: 'wasm', label: 'wasm simd128', wasmBuild: 'simd128', tolerance: { forward: 1e-6, gradient: 5e-6 } });
    const factory = tf.findBackendFactory('wasm');
    await tf.setBackend('wasm');
    tf.removeBackend('wasm');
    tf.registerBackend('wasm', factory);
    const report = await enableWasmKernels();
    await tf.setBackend('wasm');
    const product = () => tf.tidy(() => tf.matMul(tf.ones([2, 3]), tf.ones([3, 1])).dataSync());
    expect(Array.from(product())).toEqual([3, 3]);
    report.restore();
    expect(Array.from(product())).toEqual([3, 3]);
  });
});
