import { cpus } from 'node:os';
import { type BackendName, type BackendReport, enableWasmKernels, OptionError, setWasmBuild } from '@mixfold/tensor-ops';
import { initBackend } from '@mixfold/tensor-ops/node';
import { backend as currentBackend, env, getBackend, version_core } from '@tensorflow/tfjs-core';
import { measureRates, type Rates } from './measure-rates';

/** What `mixfold doctor` finds. */
export interface Examination {
  readonly machine: { readonly node: string; readonly platform: string; readonly cpu: string; readonly cores: number };
  readonly versions: Readonly<Record<string, string>>;
  readonly report: BackendReport;
  readonly features: readonly string[];
  readonly limits: Readonly<Record<string, number>>;
  /** By the form that ran. */
  readonly rates: Readonly<Record<string, Rates>>;
}

const shownLimits = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** Starts the best backend, or the one asked for, and looks at it. @throws Error if there is none. */
export async function examineDevice(options: {
  backend?: BackendName | undefined;
  allowSoftwareGpu: boolean;
}): Promise<Examination> {
  const prefer = options.backend === undefined ? [] : [options.backend];
  const report = await initBackend({ prefer, allowSoftwareGpu: options.allowSoftwareGpu });
  const { features, limits } = report.backend === 'webgpu' ? gpuFacts() : await processorFacts(report.backend);
  return {
    machine: {
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
    },
    versions: { tfjs: version_core },
    report,
    features,
    limits,
    rates: await ratesOf(report.backend),
  };
}

function gpuFacts() {
  const { device } = currentBackend() as unknown as { device: GPUDevice };
  return {
    features: [...device.features].sort(),
    limits: Object.fromEntries(shownLimits.map((name) => [name, device.limits[name]])),
  };
}

async function processorFacts(name: BackendName) {
  if (name !== 'wasm') return { features: [], limits: {} };
  const features = (await env().getAsync('WASM_HAS_SIMD_SUPPORT')) ? ['simd128'] : [];
  if (await env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT')) features.push('threads');
  if (canRelax()) features.push('relaxed-simd');
  return { features, limits: {} };
}

function canRelax(): boolean {
  try {
    setWasmBuild('relaxed');
    return true;
  } catch (error) {
    if ((error as Error).name === OptionError.name) return false;
    throw error;
  } finally {
    setWasmBuild('simd128');
  }
}

async function ratesOf(name: BackendName): Promise<Record<string, Rates>> {
  if (name === 'cpu') return { 'tfjs cpu': await measureRates(256, 2 ** 22) };
  if (name !== 'wasm') return { [`tfjs ${getBackend()}`]: await measureRates(2048, 2 ** 27) };
  const rates: Record<string, Rates> = { 'tfjs wasm': await measureRates(512, 2 ** 26) };
  const { restore } = await enableWasmKernels();
  rates['ours, wasm simd128'] = await measureRates(512, 2 ** 26);
  if (canRelax()) {
    setWasmBuild('relaxed');
    rates['ours, wasm relaxed'] = await measureRates(512, 2 ** 26);
    setWasmBuild('simd128');
  }
  restore();
  return rates;
}
