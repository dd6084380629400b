import { engine, findBackendFactory } from '@tensorflow/tfjs-core';
import type { StartedBackend } from './choose-backend';
import { startTfjsBackend } from './start-tfjs-backend';
import { describeAdapter, findAdapter, isSoftwareAdapter, softwareRefusal } from './web-gpu-adapter';

/**
 * Starts tfjs's WebGPU backend on `gpu` if its adapter may be used.
 *
 * @param register - Called once an adapter is found and the backend is not registered yet; may register it, or say why not.
 */
export async function startWebGpu(
  gpu: GPU,
  allowSoftwareGpu: boolean,
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
  const refused = unregistered ?? (await startTfjsBackend('webgpu'));
  if (refused !== null) return { refused };
  // tfjs asks for an adapter of its own, so the device it got has the last word.
  const { device } = engine().backend as unknown as { device: GPUDevice };
  const info = device.adapterInfo ?? adapter.info ?? {};
  const software = isSoftwareAdapter(info);
  if (software && !allowSoftwareGpu) return { refused: softwareRefusal(info) };
  return { tfjsName: 'webgpu', device: describeAdapter(info), software };
}
