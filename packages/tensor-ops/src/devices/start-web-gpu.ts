import { engine, findBackendFactory } from '@tensorflow/tfjs-core';
import { watchDevice } from '../webgpu/device-loss';
import { webGpuBackend } from '../webgpu/web-gpu-backend';
import type { StartedBackend } from './choose-backend';
import { startTfjsBackend } from './start-tfjs-backend';
import { describeAdapter, findAdapter, isSoftwareAdapter, softwareRefusal } from './web-gpu-adapter';
import { restartDevice, startFullDevice } from './web-gpu-device';

/**
 * Starts tfjs's WebGPU backend on `gpu` if its adapter may be used.
 *
 * @param register - Called once an adapter is found and the backend is not registered yet; may register it, or say why not.
 */
export async function startWebGpu(
  gpu: GPU,
  { allowSoftwareGpu, fullDevice }: { allowSoftwareGpu: boolean; fullDevice: boolean },
  register: (adapter: GPUAdapter) => Promise<string | null>,
): Promise<StartedBackend | { refused: string }> {
  let adapter: GPUAdapter | { refused: string };
  try {
    adapter = await findAdapter(gpu, allowSoftwareGpu);
  } catch (error) {
    return { refused: `WebGPU gives no adapter: ${error}` };
  }
  if ('refused' in adapter) return adapter;
  const unregistered = findBackendFactory('webgpu') ? null : await register(adapter);
  const running = engine().registry.webgpu;
  if (running !== undefined && watchDevice(webGpuBackend(running)).error !== undefined)
    await restartDevice(gpu, webGpuBackend(running));
  const refused = unregistered ?? (await startTfjsBackend('webgpu'));
  if (refused !== null) return { refused };
  if (fullDevice) {
    const stock = webGpuBackend(engine().backend);
    await startFullDevice(gpu, stock, allowSoftwareGpu);
    if (running === undefined && engine().backend !== (stock as unknown)) stock.device.destroy();
  }
  const backend = webGpuBackend(engine().backend);
  // tfjs asks for an adapter of its own, so the device it got has the last word.
  const info = backend.device.adapterInfo ?? adapter.info ?? {};
  const software = isSoftwareAdapter(info);
  if (software && !allowSoftwareGpu) return { refused: softwareRefusal(info) };
  return { tfjsName: 'webgpu', device: describeAdapter(info), software };
}
