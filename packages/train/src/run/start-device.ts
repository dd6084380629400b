import { enableWasmKernels, setWasmBuild, wasmBuild } from '@mixfold/tensor-ops';
import { type BackendName, initBackend } from '@mixfold/tensor-ops/node';
import { version_core } from '@tensorflow/tfjs-core';
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
  versions: { node: string; tfjs: string };
}

/**
 * Starts the backend asked for, or the best there is, with the kernels that training needs.
 *
 * @throws InputError if the backend asked for cannot be used here: no other takes its place.
 */
export async function startDevice({
  backend,
  build,
}: {
  backend?: BackendName | undefined;
  build: (typeof builds)[number];
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
  if (report.backend !== 'wasm') return started;
  await enableWasmKernels();
  return { ...started, build: wasmBuild() };
}
