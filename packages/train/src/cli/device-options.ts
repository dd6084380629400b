import type { BackendName } from '@mixfold/tensor-ops';
import { builds } from '../run/start-device';
import { type Given, readChoice, readInteger } from './read-options';

const backends: readonly BackendName[] = ['tfjs-node-gpu', 'webgpu', 'tfjs-node', 'wasm', 'cpu'];

/** Options of every command that computes. */
export const deviceOptions = {
  backend: { type: 'string', valueHint: backends.join('|'), description: 'Where to compute; default the best there is' },
  build: {
    type: 'string',
    valueHint: builds.join('|'),
    default: 'simd128',
    description: 'WASM kernels: simd128 repeats exactly, relaxed is faster',
  },
  threads: {
    type: 'string',
    valueHint: 'auto|N',
    default: '1',
    description: 'Threads for large products of matrices on WASM; the bits stay the same',
  },
} as const;

/** @throws InputError for a name that does not exist, or a number of threads that is none. */
export function readDevice(args: { backend?: Given; build?: Given; threads?: Given }) {
  return {
    backend: args.backend === undefined ? undefined : readChoice('backend', args.backend, backends),
    build: readChoice('build', args.build, builds),
    threads: args.threads === 'auto' ? ('auto' as const) : readInteger('threads', args.threads, 1, 'auto or '),
  };
}
