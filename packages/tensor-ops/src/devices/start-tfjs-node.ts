import util from 'node:util';
import { engine } from '@tensorflow/tfjs-core';
import type { StartBackend } from './choose-backend';
import { importOptional, missingAddon } from './optional-package';
import { startTfjsBackend } from './start-tfjs-backend';

/** What is read of tfjs-node's `NodeJSKernelBackend`. */
interface TensorFlowBackend {
  isGPUPackage: boolean;
  isUsingGpuDevice: boolean;
}

const packages = { gpu: '@tensorflow/tfjs-node-gpu', cpu: '@tensorflow/tfjs-node' } as const;

// Both packages register the one backend 'tensorflow', so whichever was loaded first stays.
const loadedBackend = () => engine().registry.tensorflow as unknown as TensorFlowBackend | undefined;

/** Starts tfjs-node-gpu if TensorFlow really computes on a GPU: without its CUDA libraries it falls back to the CPU and says nothing. */
export const startTfjsNodeGpu: StartBackend = async () => {
  const refused = loadedBackend() ? null : await load(packages.gpu);
  if (refused !== null) return { refused };
  const backend = loadedBackend();
  if (!backend?.isGPUPackage) return { refused: `'${packages.cpu}' is loaded already, and there can be only one of the two` };
  if (!backend.isUsingGpuDevice) {
    return { refused: `'${packages.gpu}' uses no GPU: it needs an NVIDIA driver with the libraries of CUDA 11 and cuDNN 8` };
  }
  return start('TensorFlow on a GPU');
};

/** Starts tfjs-node, or the CPU side of a tfjs-node-gpu that is loaded and uses no GPU. */
export const startTfjsNode: StartBackend = async () => {
  const refused = loadedBackend() ? null : await load(packages.cpu);
  if (refused !== null) return { refused };
  return start(loadedBackend()?.isUsingGpuDevice ? 'TensorFlow on a GPU' : 'TensorFlow on the CPU');
};

async function start(device: string) {
  const refused = await startTfjsBackend('tensorflow');
  return refused === null ? { tfjsName: 'tensorflow', device, software: false } : { refused };
}

/** Imports one of the packages; it registers and starts the backend itself. */
async function load(name: string): Promise<string | null> {
  const missing = missingAddon(name);
  if (missing !== null) return missing;
  // tfjs-node 4.22 calls these two at nearly every op, and Node 23 removed the first.
  const legacy = util as unknown as Record<string, unknown>;
  legacy.isNullOrUndefined ??= (value: unknown) => value === null || value === undefined;
  legacy.isArray ??= Array.isArray;
  const before = engine().backendName;
  const loaded = await importOptional(name);
  if ('refused' in loaded) return loaded.refused;
  if (before !== undefined && engine().registry[before]) await startTfjsBackend(before);
  return loadedBackend() ? null : `package '${name}' registered no backend`;
}
