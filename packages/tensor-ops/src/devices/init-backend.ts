import type { BackendReport, InitBackendOptions } from './backend-report';
import { chooseBackend, type StartBackend } from './choose-backend';
import { startCpu, startWasm } from './start-wasm';
import { startWebGpu } from './start-web-gpu';

const notImported = (name: string) => `the page has not imported '@tensorflow/tfjs-backend-${name}'`;
const nodeOnly: StartBackend = async () => ({
  refused: "it runs in Node only, through initBackend of '@mixfold/tensor-ops/node'",
});

const startWebGpuOfPage: StartBackend = async (options) => {
  const gpu = globalThis.navigator?.gpu as GPU | undefined;
  if (gpu !== undefined) return startWebGpu(gpu, options, async () => notImported('webgpu'));
  const insecure = globalThis.isSecureContext === false;
  return {
    refused: insecure
      ? 'WebGPU needs a secure context: https, or localhost'
      : 'there is no WebGPU here: navigator.gpu is missing',
  };
};

/**
 * Makes the best backend that the page has imported tfjs's current one: WebGPU on a GPU, else WASM, else CPU.
 *
 * @param options.prefer - Backends to try first.
 * @param options.allowSoftwareGpu - Take WebGPU without a GPU (SwiftShader, llvmpipe) too.
 * @param options.fullDevice - Start WebGPU on a device with all that the adapter has for compute.
 * @returns What was picked, on which device, and why the ones before it were not.
 * @throws OptionError for an unknown option or backend; Error with every reason if no backend can be used, or if `fullDevice` would replace a device
 *   on which tensors live.
 * @remarks A bundler cannot import what may not be installed, so only backends that the page itself imports are considered. In Node use
 *   `initBackend` of `@mixfold/tensor-ops/node`.
 */
export function initBackend(options: InitBackendOptions = {}): Promise<BackendReport> {
  return chooseBackend(options, ['webgpu', 'wasm', 'cpu'], {
    'tfjs-node-gpu': nodeOnly,
    webgpu: startWebGpuOfPage,
    'tfjs-node': nodeOnly,
    wasm: () => startWasm(notImported('wasm')),
    cpu: () => startCpu(notImported('cpu')),
  });
}
