import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { assertClose, describeBackends, SeededRandom, tensorOf, watchGpuErrors } from './index';

describeBackends('a tfjs product', (backend) => {
  test('runs on the backend', async () => {
    const random = new SeededRandom(1);
    const [a, b] = [random.normals([7, 5]), random.normals([5, 3])];
    const product = tf.matMul(tensorOf(a), tensorOf(b));
    const expected = Float64Array.from({ length: 21 }, (_, i) => {
      let sum = 0;
      for (let k = 0; k < 5; k++) sum += a.data[Math.floor(i / 3) * 5 + k]! * b.data[k * 3 + (i % 3)]!;
      return sum;
    });
    expect(tf.getBackend()).toBe(backend.name);
    await assertClose('product', product, { shape: [7, 3], data: expected }, { relative: backend.tolerance.forward });
  });
});

describeBackends(
  'the error scope',
  () => {
    test('finds a bad shader', async () => {
      const backend = tf.backend();
      const close = watchGpuErrors(backend);
      (backend as unknown as { device: GPUDevice }).device.createShaderModule({ code: 'fn main( {' });
      await expect(close()).rejects.toThrow(/WebGPU reported/);
    });
  },
  { only: ['webgpu'] },
);

describeBackends(
  'the page',
  () => {
    test('is cross-origin isolated, so tfjs runs its threaded build', async () => {
      expect(typeof window === 'undefined' || window.crossOriginIsolated).toBe(true);
      const threaded = await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT');
      expect(threaded).toBe(typeof window !== 'undefined');
    });
  },
  { only: ['wasm'] },
);
