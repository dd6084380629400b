import { env, findBackendFactory } from '@tensorflow/tfjs-core';
import type { StartedBackend } from './choose-backend';
import { startTfjsBackend } from './start-tfjs-backend';

/** Starts tfjs's WASM backend; `processor` names the machine where it is known. */
export async function startWasm(missing: string, processor?: string): Promise<StartedBackend | { refused: string }> {
  if (!findBackendFactory('wasm')) return { refused: missing };
  const refused = await startTfjsBackend('wasm');
  if (refused !== null) return { refused };
  const simd = await env().getAsync('WASM_HAS_SIMD_SUPPORT');
  const threads = await env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT');
  const build = ['WebAssembly', simd ? 'with SIMD' : 'without SIMD', ...(threads ? ['and threads'] : [])].join(' ');
  return { tfjsName: 'wasm', device: processor ? `${build} on ${processor}` : build, software: false };
}

/** Starts tfjs's plain JavaScript backend. */
export async function startCpu(missing: string, processor?: string): Promise<StartedBackend | { refused: string }> {
  if (!findBackendFactory('cpu')) return { refused: missing };
  const refused = await startTfjsBackend('cpu');
  return refused === null
    ? { tfjsName: 'cpu', device: processor ? `JavaScript on ${processor}` : 'JavaScript', software: false }
    : { refused };
}
