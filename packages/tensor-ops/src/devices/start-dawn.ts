import { findBackendFactory, type KernelBackend, registerBackend } from '@tensorflow/tfjs-core';
import type { StartBackend } from './choose-backend';
import { importOptional } from './optional-package';
import { firstLine } from './start-tfjs-backend';
import { startWebGpu } from './start-web-gpu';

interface DawnPackage {
  create(options: string[]): GPU;
  globals: object;
}

interface WebGpuPackage {
  WebGPUBackend: new (device: GPUDevice, info: GPUAdapterInfo) => KernelBackend;
}

/** Starts WebGPU in Node through Dawn (package `webgpu`), or through a `navigator.gpu` that the program has set up itself. */
export const startDawn: StartBackend = async ({ allowSoftwareGpu }) => {
  const given = globalThis.navigator?.gpu as GPU | undefined;
  if (given !== undefined) return startWebGpu(given, allowSoftwareGpu, (adapter) => registerWebGpu(adapter));
  const dawn = await importOptional<DawnPackage>('webgpu');
  if ('refused' in dawn) return dawn;
  let gpu: GPU;
  try {
    gpu = dawn.module.create([]);
  } catch (error) {
    return { refused: `package 'webgpu' could not start Dawn: ${firstLine(error)}` };
  }
  return startWebGpu(gpu, allowSoftwareGpu, async (adapter) => {
    Object.assign(globalThis, dawn.module.globals);
    setNavigatorGpu(gpu);
    const refused = await registerWebGpu(adapter);
    if (refused !== null) Reflect.deleteProperty(globalThis.navigator, 'gpu');
    return refused;
  });
};

/** Node 20 has no `navigator`; later ones have one without `gpu`. */
function setNavigatorGpu(gpu: GPU): void {
  if (globalThis.navigator === undefined)
    Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true, writable: true });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
}

/** Imports tfjs's WebGPU backend, now that `navigator.gpu` is there for it to find. */
async function registerWebGpu(adapter: GPUAdapter): Promise<string | null> {
  const webGpu = await importOptional<WebGpuPackage>('@tensorflow/tfjs-backend-webgpu');
  if ('refused' in webGpu) return webGpu.refused;
  const { module } = webGpu;
  // A program that imported the package before calling us did so without `navigator.gpu`, and then it registers nothing.
  if (!findBackendFactory('webgpu')) {
    registerBackend('webgpu', async () => new module.WebGPUBackend(await requestDevice(adapter), adapter.info), 3);
  }
  return null;
}

const limits = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
] as const;

/** A device with what tfjs's own registration asks for. */
function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  return adapter.requestDevice({
    requiredFeatures: adapter.features.has('timestamp-query') ? ['timestamp-query'] : [],
    requiredLimits: Object.fromEntries(limits.map((name) => [name, adapter.limits[name]])),
  });
}
