import { existsSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import type { WebGpuBackend } from './web-gpu-backend';

/** tfjs on Dawn with Chromium's software driver, for the tests of this folder. */
export async function dawnBackend(): Promise<WebGpuBackend> {
  const icd = ['/usr/lib/chromium/vk_swiftshader_icd.json'].find(existsSync);
  if (icd !== undefined) process.env.VK_ICD_FILENAMES ??= icd;
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const navigator = (globalThis.navigator ??= {} as Navigator);
  Object.defineProperty(navigator, 'gpu', { value: create([]), configurable: true });
  await import('@tensorflow/tfjs-backend-webgpu');
  await tf.setBackend('webgpu');
  return tf.backend() as unknown as WebGpuBackend;
}
