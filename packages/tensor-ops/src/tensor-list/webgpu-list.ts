import { type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { FusedKernel } from '../operator/types';
import { type ElementCopy, recordCopies } from '../webgpu/record-copies';
import { type WebGpuBackend, webGpuBackend } from '../webgpu/web-gpu-backend';
import { itemsOf } from './tensor-list';

const sizeOf = ({ shape }: { readonly shape: readonly number[] }) => util.sizeFromShape([...shape]);

/** A new tensor on the device; its memory holds anything. */
function fresh(backend: WebGpuBackend, shape: readonly number[]): TensorInfo {
  const made = backend.makeTensorInfo([...shape], 'float32');
  backend.uploadToGPU(made.dataId);
  return made;
}

/** All elements of a list of tensors one behind the other, copied by the device. The caller disposes the data. */
export function gathered(backend: WebGpuBackend, list: readonly TensorInfo[]): TensorInfo {
  const all = fresh(backend, [list.reduce((sum, item) => sum + sizeOf(item), 0)]);
  let toStart = 0;
  const copies = list.map((from): ElementCopy => {
    const copy = { from, fromStart: 0, to: all, toStart, count: sizeOf(from) };
    toStart += copy.count;
    return copy;
  });
  recordCopies(backend, copies);
  return all;
}

/** The reverse: new tensors of given names and shapes, filled in order. */
export function scatter(
  backend: WebGpuBackend,
  all: TensorInfo,
  parts: readonly (readonly [name: string, shape: readonly number[]])[],
): Record<string, TensorInfo> {
  let fromStart = 0;
  const copies = parts.map(([, shape]): ElementCopy => {
    const to = fresh(backend, shape);
    const copy = { from: all, fromStart, to, toStart: 0, count: sizeOf(to) };
    fromStart += copy.count;
    return copy;
  });
  recordCopies(backend, copies);
  return Object.fromEntries(parts.map(([name], i) => [name, copies[i]!.to]));
}

/** What a kernel that gathers a list, and one number behind it, can bind; else the composed form runs. */
export const acceptsList =
  (list: string): NonNullable<FusedKernel['accepts']> =>
  ({ inputs, backend }) => {
    const gpu = webGpuBackend(backend);
    const { maxStorageBufferBindingSize, maxBufferSize } = gpu.device.limits;
    const bytes = 4 * itemsOf(list, inputs).reduce((sum, item) => sum + sizeOf(item), 1);
    const most = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    if (bytes > most) return `${list} take ${bytes} bytes, the device binds ${most}`;
    // A buffer keeps its integers when tfjs casts them to floats, and a copy would not know.
    const cast = Object.entries(inputs).find(([, { dataId }]) => (gpu.tensorMap.get(dataId)?.dtype ?? 'float32') !== 'float32');
    return cast ? `the buffer of ${cast[0]} holds integers that were cast` : null;
  };
