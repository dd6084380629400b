import { aftFull } from '@mixfold/aft';
import type { WasmBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Measurement } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';
import { peakHeapBytes } from '../peak-heap-bytes';

const [dim, rank] = [8, 4];

/** Peak heap of forward and backward with a bias in factors, beyond the inputs: it grows with T, not with its square. */
export const aftFullMemoryCase: BenchCase = {
  name: 'aft-full-memory',
  about: `peak WASM heap of AFT-full forward + backward beyond its inputs, bias of rank ${rank}, B 1, d ${dim}, relaxed`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const [short, long] = [1024, 8192].map((time) => ({ time, bytes: peakOf(time) })) as [Peak, Peak];
    return {
      rows: [short, long].map(({ time, bytes }) => ({
        name: `T ${time}`,
        form: 'wasm relaxed',
        value: `${(bytes / 2 ** 20).toFixed(2)} MiB = ${((100 * bytes) / (4 * time * time)).toFixed(2)} % of [T, T]`,
      })),
      targets: [{ text: 'peak at T 8192 over T 1024', value: long.bytes / short.bytes, atMost: 8.8 }],
    };
  },
};

type Peak = { time: number; bytes: number };

function peakOf(time: number): number {
  const shapes = [
    [1, time, dim],
    [1, time, dim],
    [1, time, dim],
    [time, rank],
    [time, rank],
  ];
  const inputs = shapes.map((shape, i) => tf.randomNormal(shape, 0, 1, 'float32', i + 1));
  const dy = tf.randomNormal([1, time, dim], 0, 1, 'float32', 9);
  const mix = (...[query, key, value, u, v]: tf.Tensor[]) => {
    const bias = { u: u as tf.Tensor2D, v: v as tf.Tensor2D };
    return aftFull(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, bias);
  };
  const peak = peakHeapBytes(tf.backend() as unknown as WasmBackend, () => tf.dispose(tf.grads(mix)(inputs, dy)));
  tf.dispose([...inputs, dy]);
  return peak;
}
