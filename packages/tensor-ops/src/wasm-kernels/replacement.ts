import type { KernelFunc, TensorInfo } from '@tensorflow/tfjs-core';
import { DTypeError } from '../errors';
import { tensorPointer, type WasmBackend } from '../wasm/index';

/** Makes a kernel for tfjs's WASM backend, given its own one, which still does what ours does not take. */
export type Replacement = (stock: KernelFunc | undefined) => KernelFunc;

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);

/** Elements of a tensor. */
export const sizeOf = ({ shape }: TensorInfo): number => product(shape);

/** The size of an element on the heap of the WASM backend. */
export const bytesOf = ({ dtype }: TensorInfo): number => (dtype === 'bool' ? 1 : 4);

/** The same data in another shape, without a copy. */
export function sameData(backend: WasmBackend, { dataId, dtype }: TensorInfo, shape: readonly number[]): TensorInfo {
  backend.incRef(dataId);
  return { dataId, dtype, shape: [...shape] };
}

/** A tensor of zeros. */
export function zeros(backend: WasmBackend, shape: readonly number[], dtype: TensorInfo['dtype']): TensorInfo {
  const out = backend.makeOutput([...shape], dtype);
  const begin = tensorPointer(backend, out);
  backend.wasm.HEAPU8.fill(0, begin, begin + sizeOf(out) * bytesOf(out));
  return out;
}

/** @throws DTypeError unless each tensor is float32. */
export function checkFloats(kernel: string, tensors: Readonly<Record<string, TensorInfo | undefined>>): void {
  for (const [name, info] of Object.entries(tensors)) {
    if (info?.dtype === 'float32') continue;
    throw new DTypeError(`${kernel}: ${name} must be float32 on the wasm backend, is ${info?.dtype ?? 'absent'}`);
  }
}
