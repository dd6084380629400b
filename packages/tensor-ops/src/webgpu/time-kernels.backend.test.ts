import { describeBackends, expectNoLeak } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { expect, test, vi } from 'vitest';
import { matMul } from '../mat-mul/mat-mul';
import { timeKernels } from './time-kernels';
import { webGpuBackend } from './web-gpu-backend';

describeBackends(
  'timeKernels',
  () => {
    const make = () => tf.randomNormal<tf.Rank.R2>([64, 64]);
    // Both live on the GPU, so tfjs does not answer on the CPU.
    const work = (x: tf.Tensor2D) => tf.tidy(() => matMul(tf.exp(matMul(x, x)), x));

    test('times our programs and those of tfjs, one by one, in call order', async () => {
      const x = make();
      const times = await timeKernels(() => work(x));
      expect(times.kernels.map(({ name }) => name)).toEqual(['MatrixProduct', 'UnaryOpProgram', 'MatrixProduct']);
      for (const { gpuMs } of times.kernels) expect(gpuMs).toBeGreaterThanOrEqual(0);
      expect(times.totalMs).toBeCloseTo(
        times.kernels.reduce((sum, { gpuMs }) => sum + gpuMs, 0),
        9,
      );
      expect(times.spanMs).toBeGreaterThanOrEqual(times.kernels[0]!.gpuMs);
      expect(times.overheadMs).toBeGreaterThanOrEqual(0);
      expect(times.resolutionMs).toBeGreaterThan(0);
      const expected = await work(x).data();
      expect(await times.result.data()).toEqual(expected);
    });

    test('submits nothing for the sake of timing, and leaves the backend as it was', async () => {
      const x = make();
      const backend = webGpuBackend(tf.backend());
      const before = Object.getOwnPropertyNames(backend);
      const submit = vi.spyOn(backend.device.queue, 'submit');
      const { result } = await timeKernels(() => {
        let y = tf.add(x, 1);
        for (let i = 0; i < 4; i++) y = tf.add(y, 1);
        expect(submit).not.toHaveBeenCalled();
        return y;
      });
      // The timestamps are fetched at once.
      expect(submit).toHaveBeenCalledTimes(1);
      submit.mockRestore();
      expect(Object.getOwnPropertyNames(backend)).toEqual(before);
      expect((await result.data())[0]).toBeCloseTo((await x.data())[0]! + 5, 4);
    });

    test('takes an asynchronous function, and more dispatches than a query set holds', async () => {
      const x = tf.relu(make());
      const { kernels, result } = await timeKernels(async () => {
        for (let i = 0; i < 2100; i++) tf.dispose(tf.neg(x));
        return (await tf.neg(x).data()).length;
      });
      expect(result).toBe(64 * 64);
      expect(kernels.length).toBe(2101);
      expect(kernels.every(({ name }) => name === 'UnaryOpProgram')).toBe(true);
    });

    test('gives nothing for nothing, and passes an error on', async () => {
      expect(await timeKernels(() => 7)).toMatchObject({ result: 7, kernels: [], totalMs: 0, spanMs: 0 });
      const failing = timeKernels(() => {
        throw new RangeError('no');
      });
      await expect(failing).rejects.toThrow('no');
      expect((await timeKernels(() => 8)).result).toBe(8);
    });

    test('leaks nothing', async () => {
      const x = make();
      await expectNoLeak(async () => (await timeKernels(() => work(x))).result);
    });

    test('refuses what it cannot time', async () => {
      const inner = timeKernels(() => timeKernels(() => 1));
      await expect(inner).rejects.toThrow('timeKernels: a timing is under way');
      const has = vi.spyOn(webGpuBackend(tf.backend()).device.features, 'has').mockReturnValue(false);
      await expect(timeKernels(() => 1)).rejects.toThrow("timeKernels: the WebGPU device has no 'timestamp-query'");
      has.mockRestore();
    });
  },
  { only: ['webgpu'] },
);

describeBackends(
  'timeKernels',
  () => {
    test('refuses another backend', async () => {
      await expect(timeKernels(() => 1)).rejects.toThrow(
        "timeKernels: the backend must be webgpu, which has timestamp queries; it is 'wasm'",
      );
    });
  },
  { only: ['wasm'] },
);
