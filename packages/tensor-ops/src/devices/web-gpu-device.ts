import { engine, type KernelBackend, registerBackend, removeBackend } from '@tensorflow/tfjs-core';
import type { DeviceLostError } from '../errors';
import { watchDevice } from '../webgpu/device-loss';
import { type WebGpuBackend, webGpuBackend } from '../webgpu/web-gpu-backend';
import { startTfjsBackend } from './start-tfjs-backend';
import { findAdapter, isSoftwareAdapter } from './web-gpu-adapter';

type Limit = Exclude<keyof GPUSupportedLimits, '__brand'>;

/** The limits that tfjs's own registration raises to those of the adapter. */
const stockLimits: readonly Limit[] = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
];

/** Those that a compute shader may meet beside them. */
const furtherLimits: readonly Limit[] = [
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxUniformBufferBindingSize',
];

const fullFeatures: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups' as GPUFeatureName, 'shader-f16'];

/** A device with what tfjs's own registration asks for. */
export const stockDevice = (adapter: GPUAdapter): Promise<GPUDevice> =>
  deviceWith(adapter, ['timestamp-query'], stockLimits, adapter.limits);

function deviceWith(
  adapter: GPUAdapter,
  features: readonly GPUFeatureName[],
  names: readonly Limit[],
  limits: GPUSupportedLimits,
): Promise<GPUDevice> {
  const known = names.filter((name) => adapter.limits[name] !== undefined && limits[name] !== undefined);
  return adapter.requestDevice({
    requiredFeatures: features.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(
      known.map((name) => [name, Math.min(limits[name] as number, adapter.limits[name] as number)]),
    ),
  });
}

/**
 * Puts tfjs's WebGPU backend on a device with all that the adapter has for compute, unless it is on one.
 *
 * @throws Error if tensors live on the device in use.
 */
export async function startFullDevice(gpu: GPU, backend: WebGpuBackend, allowSoftwareGpu: boolean): Promise<void> {
  const adapter = await adapterOf(gpu, allowSoftwareGpu);
  const { device } = backend;
  const lacks = [
    ...fullFeatures.filter((feature) => adapter.features.has(feature) && !device.features.has(feature)),
    ...[...stockLimits, ...furtherLimits].filter((name) => (device.limits[name] as number) < (adapter.limits[name] as number)),
  ];
  if (lacks.length === 0) return;
  const tensors = (backend as unknown as KernelBackend).numDataIds();
  if (tensors > 0) {
    throw new Error(
      `initBackend: option fullDevice needs a new WebGPU device, and tensors live on the one in use (${tensors}); ` +
        'start it before making tensors, or dispose them',
    );
  }
  await replaceDevice(
    backend,
    await deviceWith(adapter, fullFeatures, [...stockLimits, ...furtherLimits], adapter.limits),
    adapter,
  );
}

async function adapterOf(gpu: GPU, allowSoftwareGpu: boolean): Promise<GPUAdapter> {
  const adapter = await findAdapter(gpu, allowSoftwareGpu);
  if ('refused' in adapter) throw new Error(adapter.refused);
  return adapter;
}

/** Registers the backend's class anew, over another device, and makes it the current backend. */
async function replaceDevice(backend: WebGpuBackend, device: GPUDevice, adapter: GPUAdapter): Promise<void> {
  const Backend = backend.constructor as new (device: GPUDevice, info: GPUAdapterInfo) => KernelBackend;
  removeBackend('webgpu');
  registerBackend('webgpu', () => new Backend(device, adapter.info), 3);
  const refused = await startTfjsBackend('webgpu');
  if (refused !== null) throw new Error(`the WebGPU backend could not be started on a new device: ${refused}`);
  watchDevice(webGpuBackend(engine().backend));
}

/**
 * After the loss of the WebGPU device: asks for an adapter and a device with the same features and limits, and makes tfjs's WebGPU backend over it the current
 * one. Tensors and variables of the lost device are gone: dispose them, and make them again from values on the host.
 *
 * @param error - What `deviceLost()` or a read rejected with.
 * @throws `error` itself if it is no DeviceLostError, or if the program destroyed the device: that was meant. Error if there is no adapter (any more): a browser
 *   gives none for a while after repeated crashes.
 * @example
 * try {
 *   await model.train();
 * } catch (error) {
 *   await recoverWebGpuDevice(error);
 *   await model.load(checkpoint);
 * }
 */
export async function recoverWebGpuDevice(error: unknown): Promise<void> {
  if ((error as Error | undefined)?.name !== 'DeviceLostError' || (error as DeviceLostError).reason === 'destroyed') throw error;
  const lost = engine().registry.webgpu;
  if (lost === undefined) throw new Error('recoverWebGpuDevice: there is no WebGPU backend to recover');
  const backend = webGpuBackend(lost);
  // Several places may see one loss.
  if (watchDevice(backend).error !== undefined) await restartDevice(globalThis.navigator.gpu, backend);
}

/** Puts tfjs's WebGPU backend on another device, with the features and limits of its lost one. */
export async function restartDevice(gpu: GPU, backend: WebGpuBackend): Promise<void> {
  const { features, limits, adapterInfo } = backend.device;
  const adapter = await adapterOf(gpu, isSoftwareAdapter(adapterInfo ?? {}));
  const wanted = fullFeatures.filter((feature) => features.has(feature));
  await replaceDevice(backend, await deviceWith(adapter, wanted, [...stockLimits, ...furtherLimits], limits), adapter);
}
