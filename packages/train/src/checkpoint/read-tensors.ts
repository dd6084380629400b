import { createHash } from 'node:crypto';
import { type Tensor, tensor } from '@tensorflow/tfjs-core';
import type { SafeTensor } from './safetensors-format';

/** Reads float32 tensors back from their device as plain data. */
export async function readTensors(tensors: Iterable<readonly [name: string, tensor: Tensor]>): Promise<Map<string, SafeTensor>> {
  const read = [...tensors].map(async ([name, tensor]): Promise<[string, SafeTensor]> => {
    const data = (await tensor.data()) as Float32Array;
    return [name, { dtype: 'F32', shape: [...tensor.shape], data }];
  });
  return new Map(await Promise.all(read));
}

/** Makes tensors of plain data. The caller disposes them. */
export function makeTensors(tensors: ReadonlyMap<string, SafeTensor>): [name: string, tensor: Tensor][] {
  return [...tensors].map(([name, { data, shape, dtype }]) => [
    name,
    tensor(data, shape, dtype === 'I32' ? 'int32' : dtype === 'BOOL' ? 'bool' : 'float32'),
  ]);
}

/** SHA-256 over names, shapes and data, in the order of names. */
export function digestOfTensors(tensors: ReadonlyMap<string, SafeTensor>): string {
  const hash = createHash('sha256');
  for (const [name, { dtype, shape, data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${JSON.stringify([name, dtype, shape])}\n`);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest('hex');
}
