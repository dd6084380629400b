import { installDawn } from './dawn';
import type { BackendName, TestHost } from './host';

const known: readonly BackendName[] = ['cpu', 'wasm', 'webgpu'];

/** `MIXFOLD_TEST_BACKENDS` (a comma-separated list, set by vitest.config.ts) says which backends this machine has. */
const backends = parseBackends(process.env.MIXFOLD_TEST_BACKENDS);

/** Node. */
export const host: TestHost = {
  name: 'node',
  backends,
  composedOn: backends,
  async load(backend) {
    if (backend === 'cpu') await import('@tensorflow/tfjs-backend-cpu');
    if (backend === 'wasm') await import('@tensorflow/tfjs-backend-wasm');
    if (backend === 'webgpu') {
      await installDawn();
      await import('@tensorflow/tfjs-backend-webgpu');
    }
  },
};

function parseBackends(list: string | undefined): readonly BackendName[] {
  if (!list) return known;
  const names = list.split(',');
  const stranger = names.find((name) => !known.includes(name as BackendName));
  if (stranger !== undefined) throw new RangeError(`MIXFOLD_TEST_BACKENDS: '${stranger}' is not one of ${known.join(', ')}`);
  return names as BackendName[];
}
