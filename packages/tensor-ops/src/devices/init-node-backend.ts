import { cpus } from 'node:os';
import type { BackendReport, InitBackendOptions } from './backend-report';
import { chooseBackend, type StartBackend } from './choose-backend';
import { importOptional } from './optional-package';
import { startDawn } from './start-dawn';
import { startTfjsNode, startTfjsNodeGpu } from './start-tfjs-node';
import { startCpu, startWasm } from './start-wasm';

const startImported =
  (name: string, start: typeof startCpu): StartBackend =>
  async () => {
    const imported = await importOptional(name);
    if ('refused' in imported) return imported;
    return start(`package '${name}' registered no backend`, cpus()[0]?.model.trim());
  };

/**
 * Makes the best device of this machine tfjs's current backend, importing the packages it needs as far as they are installed:
 * tfjs-node-gpu with a GPU in use, WebGPU through Dawn (package `webgpu`) on a GPU, tfjs-node, WASM, CPU.
 *
 * @param options.prefer - Backends to try first.
 * @param options.allowSoftwareGpu - Take WebGPU without a GPU (SwiftShader, llvmpipe) too.
 * @param options.fullDevice - Start WebGPU on a device with all that the adapter has for compute.
 * @returns What was picked, on which device, and why the ones before it were not.
 * @throws OptionError for an unknown option or backend; Error with every reason if no backend can be used, or if `fullDevice` would replace a device
 *   on which tensors live.
 * @remarks Where WebGPU is picked, `navigator.gpu` and the WebGPU globals are defined. Nothing keeps the process alive.
 */
export function initBackend(options: InitBackendOptions = {}): Promise<BackendReport> {
  return chooseBackend(options, ['tfjs-node-gpu', 'webgpu', 'tfjs-node', 'wasm', 'cpu'], {
    'tfjs-node-gpu': startTfjsNodeGpu,
    webgpu: startDawn,
    'tfjs-node': startTfjsNode,
    wasm: startImported('@tensorflow/tfjs-backend-wasm', startWasm),
    cpu: startImported('@tensorflow/tfjs-backend-cpu', startCpu),
  });
}
