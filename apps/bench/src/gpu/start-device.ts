import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { WebGpuBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';

interface Dawn {
  create(options: string[]): GPU;
  readonly globals: object;
}

/** The device under test, in words that JSON takes. */
export interface DeviceReport {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly software: boolean;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  readonly timestamps: boolean;
}

/** Told because kernels depend on them. */
const reportedLimits = [
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxStorageBufferBindingSize',
  'maxBufferSize',
] as const;
/** What tfjs's own registration asks for. */
const raisedLimits = [...reportedLimits, 'maxComputeWorkgroupsPerDimension', 'maxComputeWorkgroupSizeX'] as const;

let gpu: GPU | undefined;

/** Loads Dawn from the folder of this archive, in place of the npm package. */
function loadDawn(): GPU {
  if (gpu) return gpu;
  const dawn = createRequire(import.meta.url)(join(import.meta.dirname ?? '.', 'dawn.node')) as Dawn;
  Object.assign(globalThis, dawn.globals);
  // Timestamps are otherwise rounded to a tenth of a millisecond, so that pages cannot spy by them.
  gpu = dawn.create(['disable-dawn-features=timestamp_quantization']);
  if (globalThis.navigator === undefined) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
  return gpu;
}

/** @throws Error if there is no adapter. */
async function findAdapter(): Promise<GPUAdapter> {
  const adapter = await loadDawn().requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) throw new Error('Dawn finds no adapter');
  return adapter;
}

/** What the adapter is. */
export async function describeDevice(): Promise<DeviceReport> {
  const adapter = await findAdapter();
  const { info, features, limits } = adapter;
  const words = [info.vendor, info.architecture, info.device, info.description].join(' ');
  return {
    name: info.description || info.device || words.trim(),
    vendor: info.vendor,
    architecture: info.architecture,
    software: /swiftshader|llvmpipe|lavapipe|softpipe/i.test(words),
    features: [...features].sort(),
    limits: Object.fromEntries(reportedLimits.map((name) => [name, limits[name]])),
    timestamps: features.has('timestamp-query'),
  };
}

/** Makes tfjs's WebGPU backend the current one, on a device with timestamps where the adapter has them. */
export async function startDevice(): Promise<WebGpuBackend> {
  const adapter = await findAdapter();
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
  const device = await adapter.requestDevice({
    requiredFeatures: (['timestamp-query'] as const).filter((name) => adapter.features.has(name)),
    requiredLimits: Object.fromEntries(raisedLimits.map((name) => [name, adapter.limits[name]])),
  });
  void device.lost.then(({ reason, message }) => {
    if (reason === 'destroyed') return;
    console.error(`the device is lost: ${message}`);
    process.exit(3);
  });
  tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info), 3);
  await tf.setBackend('webgpu');
  await tf.ready();
  return tf.backend() as unknown as WebGpuBackend;
}
