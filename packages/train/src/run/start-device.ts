import { enableWasmKernels, setWasmBuild } from '@mixfold/tensor-ops';
import { type BackendName, initBackend } from '@mixfold/tensor-ops/node';
import { env, version_core, zeros } from '@tensorflow/tfjs-core';
import { InputError } from '../input-error';

/** Builds of the WASM kernels that can be asked for. */
export const builds = ['simd128', 'relaxed', 'auto'] as const;

/** Where a run computes. */
export interface Device {
  backend: BackendName;
  /** In words, as the driver names it. */
  device: string;
  /** Build of the WASM kernels, where they run. */
  build?: string;
  /** Threads that products of matrices run on, where there is a choice. */
  threads?: number;
  versions: { node: string; tfjs: string };
}

/**
 * Starts the backend asked for, or the best there is, with the kernels that training needs.
 *
 * @throws InputError if the backend asked for cannot be used here, or so many threads: nothing else takes their place.
 */
export async function startDevice({
  backend,
  build,
  threads,
}: {
  backend?: BackendName | undefined;
  build: (typeof builds)[number];
  threads: 'auto' | number;
}): Promise<Device> {
  setWasmBuild(build);
  const report = await initBackend(backend === undefined ? {} : { prefer: [backend] });
  if (backend !== undefined && report.backend !== backend) {
    const reason = report.tried.find((tried) => tried.backend === backend)?.reason ?? 'unknown reason';
    throw new InputError(
      `--backend ${backend} cannot be used here: ${reason.split('\n')[0]}; leave it out, or take ${report.backend}`,
    );
  }
  const versions = { node: process.versions.node, tfjs: version_core };
  const started: Device = { backend: report.backend, device: report.device, versions };
  if (report.backend === 'cpu') silenceCpu();
  if (report.backend !== 'wasm') {
    if (typeof threads === 'number' && threads > 1) {
      throw new InputError(
        `--threads ${threads} is for the backend wasm, and this is ${report.backend}; leave it out, or take --backend wasm`,
      );
    }
    return started;
  }
  const kernels = await enableWasmKernels({ threads });
  if (typeof threads === 'number' && kernels.threads !== threads) {
    throw new InputError(
      `--threads ${threads} cannot be had here: ${kernels.threadsReason}; leave it out, or take --threads auto`,
    );
  }
  return { ...started, build: kernels.build, threads: kernels.threads };
}

/** tfjs's CPU backend recommends tfjs-node on stderr at its first tensor; whoever chose the CPU needs no advice, and logs stay clean. */
function silenceCpu(): void {
  const before = env().getBool('PROD');
  env().set('PROD', true);
  zeros([1]).dispose();
  env().set('PROD', before);
}
