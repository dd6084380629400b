import { env } from '@tensorflow/tfjs-core';

type AdapterInfo = Partial<Pick<GPUAdapterInfo, 'vendor' | 'architecture' | 'device' | 'description' | 'isFallbackAdapter'>>;

const rasterisers = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

/** Whether an adapter computes on the CPU, by its own word or by the names of the software rasterisers that browsers and systems ship. */
export function isSoftwareAdapter(info: AdapterInfo): boolean {
  return (
    info.isFallbackAdapter === true || rasterisers.test([info.vendor, info.architecture, info.device, info.description].join(' '))
  );
}

/** An adapter in words, as far as the browser lets them be known. */
export function describeAdapter(info: AdapterInfo): string {
  const words = info.description || info.device || [info.vendor, info.architecture].filter(Boolean).join(' ');
  return words || 'an unnamed GPU';
}

/** The adapter that tfjs will ask for, or why there is none to use. */
export async function findAdapter(gpu: GPU, allowSoftwareGpu: boolean): Promise<GPUAdapter | { refused: string }> {
  const lowPower = 'WEBGPU_USE_LOW_POWER_GPU' in env().features && env().getBool('WEBGPU_USE_LOW_POWER_GPU');
  const adapter = await gpu.requestAdapter({ powerPreference: lowPower ? 'low-power' : 'high-performance' });
  if (adapter === null) return { refused: 'WebGPU finds no GPU adapter' };
  // Chrome before 128 has no `info`; such an adapter cannot be told from a software one except by this older flag.
  const info: AdapterInfo = adapter.info ?? adapter;
  return isSoftwareAdapter(info) && !allowSoftwareGpu ? { refused: softwareRefusal(info) } : adapter;
}

/** Why a software rasteriser is not taken. */
export function softwareRefusal(info: AdapterInfo): string {
  return `the adapter is a software rasteriser (${describeAdapter(info)}); pass allowSoftwareGpu: true to use it`;
}
