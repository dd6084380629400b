import { createRequire } from 'node:module';
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
  /** Why the backend was chosen. */
  readonly reason: string;
  /** Threads that products of matrices run on, where there is a choice: what `enableWasmKernels({ threads: 'auto' })` takes, or why not more than one. */
  readonly threads?: { readonly auto: number; readonly reason?: string | undefined };
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

/** Packages that a backend comes from, beside tfjs itself. */
const backendPackages = [
  '@tensorflow/tfjs-backend-wasm',
  '@tensorflow/tfjs-backend-webgpu',
  'webgpu',
  '@tensorflow/tfjs-node',
  '@tensorflow/tfjs-node-gpu',
];

/** The versions of tfjs and of the backends' packages, as far as they are installed. */
function installedVersions(): Record<string, string> {
  const require = createRequire(import.meta.url);
  const versions: Record<string, string> = { tfjs: version_core };
  for (const name of backendPackages) {
    try {
      versions[name] = (require(`${name}/package.json`) as { version: string }).version;
    } catch {
      // Not installed: `report.tried` says so where it matters.
    }
  }
  return versions;
}

/** Starts the best backend, or the one asked for, and looks at it. @throws Error if there is none. */
export async function examineDevice(options: {
  backend?: BackendName | undefined;
  allowSoftwareGpu: boolean;
}): Promise<Examination> {
  const prefer = options.backend === undefined ? [] : [options.backend];
  const report = await initBackend({ prefer, allowSoftwareGpu: options.allowSoftwareGpu });
  const { features, limits } = report.backend === 'webgpu' ? gpuFacts() : await processorFacts(report.backend);
  const wasm = report.backend === 'wasm' ? await examineWasm() : undefined;
  return {
    machine: {
      node: process.versions.node,
      platform: `${process.platform} ${process.arch}`,
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: cpus().length,
    },
    versions: installedVersions(),
    report,
    reason: report.backend === options.backend ? 'it was asked for' : 'it is the best that can be used here',
    features,
    limits,
    ...(wasm && { threads: wasm.threads }),
    rates: wasm?.rates ?? (await ratesOf(report.backend)),
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
  return { [`tfjs ${getBackend()}`]: await measureRates(2048, 2 ** 27) };
}

/** tfjs's own kernels, then ours in every build, on one thread and on as many as the machine has for them. */
async function examineWasm(): Promise<{ threads: NonNullable<Examination['threads']>; rates: Record<string, Rates> }> {
  const rates: Record<string, Rates> = { 'tfjs wasm': await measureRates(512, 2 ** 26) };
  const builds = canRelax() ? (['simd128', 'relaxed'] as const) : (['simd128'] as const);
  const { restore } = await enableWasmKernels();
  try {
    const measure = async (threads: string) => {
      for (const build of builds) {
        setWasmBuild(build);
        rates[`ours, wasm ${build}${threads}`] = await measureRates(512, 2 ** 26);
      }
    };
    await measure('');
    const { threads, threadsReason } = await enableWasmKernels({ threads: 'auto' });
    if (threads > 1) await measure(`, ${threads} threads`);
    return { threads: { auto: threads, reason: threadsReason }, rates };
  } finally {
    setWasmBuild('simd128');
    restore();
  }
}
