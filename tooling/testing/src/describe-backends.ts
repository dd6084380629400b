import { setWasmBuild } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import { host } from '#host';
import { watchGpuErrors } from './error-scope-guard';
import type { BackendName } from './host/host';
import { checkKernelsForLeaks } from './kernel-leak-check';
import { type CloseTestScope, openTestScope } from './leak-guard';
import { type Tolerance, tolerances } from './tolerances';
import { watchWasmHeap } from './wasm-heap-guard';

export type WasmBuild = 'simd128' | 'relaxed';

/** A backend under test, and for wasm the build of our kernels. */
export interface TestBackend {
  readonly name: BackendName;
  /** 'cpu', 'wasm simd128', 'wasm relaxed' or 'webgpu'. */
  readonly label: string;
  readonly wasmBuild?: WasmBuild;
  /** What `assertClose` takes as `relative`, for outputs and for gradients. */
  readonly tolerance: Tolerance;
}

const every: readonly TestBackend[] = [
  { name: 'cpu', label: 'cpu', tolerance: tolerances.cpu },
  { name: 'wasm', label: 'wasm simd128', wasmBuild: 'simd128', tolerance: tolerances.wasm },
  { name: 'wasm', label: 'wasm relaxed', wasmBuild: 'relaxed', tolerance: tolerances.wasm },
  { name: 'webgpu', label: 'webgpu', tolerance: tolerances.webgpu },
];

/** The backends of this host: in Node cpu, wasm in two builds and webgpu; in Chromium wasm in two builds and webgpu. */
export const testBackends: readonly TestBackend[] = every.filter(({ name }) => host.backends.includes(name));

const loaded = new Map<BackendName, Promise<void>>();

/** Loads a backend and makes it the current one, with the guards' hooks in place. */
export async function useBackend({ name, wasmBuild }: TestBackend): Promise<void> {
  if (!loaded.has(name)) loaded.set(name, host.load(name));
  await loaded.get(name);
  if (!(await tf.setBackend(name))) throw new Error(`tfjs could not start the backend '${name}' in ${host.name}`);
  checkKernelsForLeaks();
  if (name === 'wasm') watchWasmHeap(tf.backend());
  if (wasmBuild) setWasmBuild(wasmBuild);
}

/** Inside a describe block: every test runs on the backend, in a scope of its own, with the leak and error guards around it. */
export function guardTests(backend: TestBackend): void {
  let closeScope: CloseTestScope = () => {};
  let closeGpuScopes: () => Promise<void> = async () => {};
  beforeAll(() => useBackend(backend));
  beforeEach(() => {
    closeScope = openTestScope();
    if (backend.name === 'webgpu') closeGpuScopes = watchGpuErrors(tf.backend());
  });
  afterEach(async ({ task }) => {
    // What an exception left behind is no second fault.
    const hasFailed = task.result?.state === 'fail';
    await closeGpuScopes();
    closeScope({ checked: !hasFailed });
  });
  if (backend.wasmBuild) afterAll(() => setWasmBuild('auto'));
}

/**
 * Describes the same tests once per backend of this host.
 *
 * Each test owns the tensors it makes: they are disposed at its end, and one kept beyond it fails the test. On webgpu a
 * validation or out-of-memory error fails it; everywhere a kernel that leaks does.
 *
 * @param only - leave out the other backends, for what one backend alone has.
 */
export function describeBackends(
  name: string,
  body: (backend: TestBackend) => void,
  { only }: { readonly only?: readonly BackendName[] } = {},
): void {
  for (const backend of testBackends.filter((candidate) => !only || only.includes(candidate.name))) {
    describe(`${name} on ${backend.label}`, () => {
      guardTests(backend);
      body(backend);
    });
  }
}
