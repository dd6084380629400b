import { engine } from '@tensorflow/tfjs-core';
import { DeviceLostError } from '../errors';
import type { WebGpuBackend } from './web-gpu-backend';

/** What is known of the loss of one backend's device. */
export interface DeviceWatch {
  /** Set once the device is lost. */
  error: DeviceLostError | undefined;
  /** Rejects when it is. */
  readonly lost: Promise<never>;
}

// On the backend itself, for the ESM and CJS twins of this module share it.
const key = Symbol.for('@mixfold/tensor-ops/device-watch');

/**
 * Watches the device of a backend from now on. A read that waits when the device is lost, or begins later, rejects with a `DeviceLostError`: tfjs's own rejects
 * with an `AbortError` without a word, or never settles, as the browser has it. What is on the host can still be read.
 */
export function watchDevice(backend: WebGpuBackend): DeviceWatch {
  const holder = backend as unknown as Record<symbol, DeviceWatch | undefined>;
  const known = holder[key];
  if (known !== undefined) return known;

  const waiting = new Set<(error: DeviceLostError) => void>();
  const watch: DeviceWatch = { error: undefined, lost: new Promise((_, reject) => waiting.add(reject)) };
  // Nobody need wait for it.
  watch.lost.catch(() => {});
  void backend.device.lost.then(({ reason, message }) => {
    const what = reason === 'destroyed' ? 'the program destroyed it' : message || 'the driver gave no reason';
    watch.error = new DeviceLostError(
      reason ?? 'unknown',
      `the WebGPU device is lost: ${what}. Its tensors are gone: make them again from values on the host${
        reason === 'destroyed' ? '' : ', after recoverWebGpuDevice(error)'
      }`,
    );
    for (const reject of waiting) reject(watch.error);
    waiting.clear();
  });
  holder[key] = watch;
  guardReads(backend, watch, waiting);
  return watch;
}

function guardReads(backend: WebGpuBackend, watch: DeviceWatch, waiting: Set<(error: DeviceLostError) => void>): void {
  const [read, readSync] = [backend.read.bind(backend), backend.readSync.bind(backend)];
  const isGone = (dataId: object) => watch.error !== undefined && backend.tensorMap.get(dataId)?.values == null;
  backend.read = (dataId) => {
    if (isGone(dataId)) return Promise.reject(watch.error);
    return new Promise((resolve, reject) => {
      // Not a race with `watch.lost`, which would keep a reaction of every read until the device is lost.
      waiting.add(reject);
      read(dataId)
        // The driver may tell of the loss through the read first; the device's own promise follows at once.
        .catch(async (error) => {
          if ((error as Error | undefined)?.name === 'AbortError') await Promise.race([watch.lost, soon()]);
          throw error;
        })
        .then(resolve, reject)
        .finally(() => waiting.delete(reject));
    });
  };
  backend.readSync = (dataId) => {
    if (isGone(dataId)) throw watch.error;
    return readSync(dataId);
  };
}

const soon = () => new Promise((resolve) => setTimeout(resolve, 100));

/**
 * A promise that rejects with a `DeviceLostError` when the WebGPU device in use is lost, and never fulfils: to be raced with work that reads nothing for long.
 * Reads (`await tensor.data()`) reject by themselves.
 *
 * @returns The same promise for every call on one device. On another backend it never settles.
 * @example
 * deviceLost().catch(async (error) => {
 *   await recoverWebGpuDevice(error);
 *   // Make the tensors again from copies on the host.
 * });
 */
export function deviceLost(): Promise<never> {
  const tfjs = engine();
  if (tfjs.backendName !== 'webgpu') return new Promise(() => {});
  return watchDevice(tfjs.backend as unknown as WebGpuBackend).lost;
}
