import { SeededRandom, tensorOf, testBackends, useBackend } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, test } from 'vitest';
import { DeviceLostError } from '../errors';
import { layerNorm } from '../layer-norm/layer-norm';
import { matMul } from '../mat-mul/mat-mul';
import { deviceLost } from '../webgpu/device-loss';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import { initBackend } from './init-backend';
import { recoverWebGpuDevice } from './web-gpu-device';

const webgpu = testBackends.find(({ name }) => name === 'webgpu');
const backendNow = () => webGpuBackend(tf.backend());

/** What the driver would report, had it taken the device away; in truth the test destroys it, which is the one loss that can be made. */
const takenAway = (error: unknown) => new DeviceLostError('unknown', (error as Error).message);

/** Every test here starts a device of its own; none uses the harness's guards, whose error scopes would die with a device. */
describe.runIf(webgpu)('the WebGPU device', () => {
  beforeEach(() => useBackend(webgpu!));

  test('initBackend starts one with all that the adapter has, once, and only where nothing lives on the old one', async () => {
    const full = { allowSoftwareGpu: true, fullDevice: true };
    const adapter = (await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' }))!;
    const kept = tf.tensor1d([1, 2, 3]);
    await expect(initBackend(full)).rejects.toThrow(
      'initBackend: option fullDevice needs a new WebGPU device, and tensors live on the one in use (1); start it before making tensors',
    );
    const squares = tf.square(kept);
    expect(Array.from(await squares.data())).toEqual([1, 4, 9]);
    tf.dispose([kept, squares]);
    const stock = backendNow();
    await initBackend(full);
    const { device } = backendNow();
    expect(device).not.toBe(stock.device);
    for (const name of ['maxStorageBuffersPerShaderStage', 'maxComputeWorkgroupStorageSize', 'maxBufferSize'] as const) {
      expect(device.limits[name]).toBe(adapter.limits[name]);
    }
    for (const feature of ['timestamp-query', 'subgroups', 'shader-f16']) {
      expect(device.features.has(feature as GPUFeatureName)).toBe(adapter.features.has(feature as GPUFeatureName));
    }
    await initBackend(full);
    expect(backendNow().device).toBe(device);
    const x = tf.ones<tf.Rank.R2>([33, 65]);
    const y = matMul(x, x, { transposeB: true });
    expect((await y.data())[0]).toBe(65);
    tf.dispose([x, y]);
  });

  test('a program may use subgroups there, where the adapter has them', async ({ skip }) => {
    await initBackend({ allowSoftwareGpu: true, fullDevice: true });
    const backend = backendNow();
    if (!backend.device.features.has('subgroups' as GPUFeatureName)) skip('the adapter has no subgroups');
    const x = tf.ones([64]);
    backend.device.pushErrorScope('validation');
    const { total } = runProgram(backend, {
      name: 'SubgroupTotal',
      requires: ['subgroups'],
      inputs: { x },
      outputs: { total: { shape: [64] } },
      workgroupSize: [64, 1, 1],
      workgroups: [1, 1, 1],
      code: `fn main(@builtin(local_invocation_index) i: u32, @builtin(subgroup_size) size: u32) {
        total[i] = subgroupAdd(x[i]) / f32(size);
      }`,
    });
    expect(await backend.device.popErrorScope()).toBe(null);
    const made = tf.engine().makeTensorFromTensorInfo(total);
    expect(Array.from(await made.data())).toEqual(Array.from({ length: 64 }, () => 1));
    tf.dispose([x, made]);
  });

  test('its loss rejects reads, waits and further kernels with a DeviceLostError', async () => {
    await startFresh();
    const backend = backendNow();
    const a = tf.randomUniform<tf.Rank.R2>([256, 256]);
    const onHost = tf.tensor1d([1, 2]);
    const b = matMul(a, a);
    await b.data();
    const c = matMul(b, a);
    const waiting = [c.data(), deviceLost()];
    backend.device.destroy();
    for (const promise of waiting) {
      await expect(promise).rejects.toMatchObject({ name: 'DeviceLostError', reason: 'destroyed' });
    }
    await expect(deviceLost()).rejects.toThrow('the WebGPU device is lost: the program destroyed it. Its tensors are gone');
    const d = tf.matMul(b, a);
    await expect(d.data()).rejects.toHaveProperty('name', 'DeviceLostError');
    expect(() => d.dataSync()).toThrow(expect.objectContaining({ name: 'DeviceLostError' }));
    expect(() => matMul(a, a)).toThrow(expect.objectContaining({ name: 'DeviceLostError' }));
    expect(Array.from(await onHost.data())).toEqual([1, 2]);
    expect((await b.data()).length).toBe(256 * 256);
    tf.dispose([a, b, c, d, onHost]);

    // Who destroyed a device on purpose may start another one.
    await initBackend({ allowSoftwareGpu: true });
    expect(backendNow()).not.toBe(backend);
    const [x, y] = [tf.tensor2d([[3]]), tf.tensor2d([[2]])];
    const product = matMul(x, y);
    expect(Array.from(await product.data())).toEqual([6]);
    tf.dispose([x, y, product]);
  });

  test('recovers: a new adapter and device, and tensors made again from the host', async () => {
    await startFresh();
    const random = new SeededRandom(3);
    const [values, weights] = [random.normals([5, 8]), random.normals([8, 8])];
    const step = (x: tf.Tensor, w: tf.Tensor) => tf.tidy(() => layerNorm(matMul(x, w), tf.ones([8]), tf.zeros([8])));
    const [x, w] = [tensorOf(values), tf.variable(tensorOf(weights))];
    const before = await step(x, w).data();
    const { device } = backendNow();
    const lost = deviceLost();
    const pending = step(x, w).data();
    device.destroy();
    const error = await pending.catch((reason: unknown) => reason);
    await expect(lost).rejects.toBe(error);

    await expect(recoverWebGpuDevice(error)).rejects.toBe(error);
    await expect(recoverWebGpuDevice(new Error('other'))).rejects.toThrow('other');
    await recoverWebGpuDevice(takenAway(error));
    const recovered = backendNow();
    expect(recovered.device).not.toBe(device);
    expect([...recovered.device.features].sort()).toEqual(
      [...device.features].filter((name) => recovered.device.features.has(name)).sort(),
    );
    expect(recovered.device.limits.maxStorageBuffersPerShaderStage).toBe(device.limits.maxStorageBuffersPerShaderStage);
    // A second report of the same loss changes nothing.
    await recoverWebGpuDevice(takenAway(error));
    expect(backendNow()).toBe(recovered);
    // What lived on the lost device says so, and can be disposed.
    expect(() => x.dataSync()).toThrow(expect.objectContaining({ name: 'DeviceLostError' }));
    tf.dispose([x, w]);

    const [x2, w2] = [tensorOf(values), tf.variable(tensorOf(weights))];
    const after = step(x2, w2);
    expect(await after.data()).toEqual(before);
    const gradient = tf.grad((w) => step(x2, w))(w2);
    expect((await gradient.data()).every(Number.isFinite)).toBe(true);
    tf.dispose([x2, w2, after, gradient]);
  });
});

test.skipIf(webgpu)('without WebGPU there is no device to lose', async () => {
  await expect(Promise.race([deviceLost(), Promise.resolve('nothing')])).resolves.toBe('nothing');
});

/** Another device than the last test's, which may be lost. */
async function startFresh(): Promise<void> {
  const adapter = (await navigator.gpu.requestAdapter())!;
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const device = await adapter.requestDevice({
    requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
  });
  tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info), 3);
  await tf.setBackend('webgpu');
}
