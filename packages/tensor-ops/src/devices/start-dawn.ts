import { existsSync } from 'node:fs';
import { findBackendFactory, type KernelBackend, registerBackend } from '@tensorflow/tfjs-core';
import type { StartBackend } from './choose-backend';
import { importOptional } from './optional-package';
import { firstLine } from './start-tfjs-backend';
import { startWebGpu } from './start-web-gpu';
import { stockDevice } from './web-gpu-device';

interface DawnPackage {
  create(options: string[]): GPU;
  globals: object;
}

/** What a GPU driver makes on Linux. */
const deviceFiles = ['/dev/dri', '/dev/nvidia0', '/dev/kfd', '/dev/dxg', '/dev/mali0', '/dev/nvhost-gpu'];

/** False on a Linux without a GPU: there Dawn takes a third of a second to say so, and its drivers complain on stderr. */
function mayHaveGpu(): boolean {
  const { VK_DRIVER_FILES, VK_ICD_FILENAMES } = process.env;
  return (
    process.platform !== 'linux' || Boolean(VK_DRIVER_FILES || VK_ICD_FILENAMES) || deviceFiles.some((path) => existsSync(path))
  );
}

interface WebGpuPackage {
  WebGPUBackend: new (device: GPUDevice, info: GPUAdapterInfo) => KernelBackend;
}

/** Starts WebGPU in Node through Dawn (package `webgpu`), or through a `navigator.gpu` that the program has set up itself. */
export const startDawn: StartBackend = async (options) => {
  const given = globalThis.navigator?.gpu as GPU | undefined;
  if (given !== undefined) return startWebGpu(given, options, (adapter) => registerWebGpu(adapter));
  if (!options.allowSoftwareGpu && !mayHaveGpu())
    return { refused: `this machine has no GPU: there is none of ${deviceFiles.join(', ')}` };
  const dawn = await importOptional<DawnPackage>('webgpu');
  if ('refused' in dawn) return dawn;
  let gpu: GPU;
  try {
    // Rounded to a tenth of a millisecond otherwise, lest pages spy by them.
    gpu = dawn.module.create(['disable-dawn-features=timestamp_quantization']);
  } catch (error) {
    return { refused: `package 'webgpu' could not start Dawn: ${firstLine(error)}` };
  }
  return startWebGpu(gpu, options, async (adapter) => {
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
    registerBackend('webgpu', async () => new module.WebGPUBackend(await stockDevice(adapter), adapter.info), 3);
  }
  return null;
}
