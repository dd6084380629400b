import type { BackendName } from '@mixfold/tensor-ops';
import { builds } from '../run/start-device';
import { type Given, readChoice } from './read-options';

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
} as const;

/** @throws InputError for a name that does not exist. */
export function readDevice(args: { backend?: Given; build?: Given }) {
  return {
    backend: args.backend === undefined ? undefined : readChoice('backend', args.backend, backends),
    build: readChoice('build', args.build, builds),
  };
}
