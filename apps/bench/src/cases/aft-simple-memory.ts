import { aftSimple } from '@mixfold/aft';
import type { WasmBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Measurement } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';
import { peakHeapBytes } from '../peak-heap-bytes';

const times = [1024, 2048, 4096, 8192];
const dim = 256;

/** Peak heap of forward and backward together, beyond the inputs, at growing T. */
export const aftSimpleMemoryCase: BenchCase = {
  name: 'aft-simple-memory',
  about: `peak WASM heap of AFT-simple forward + backward beyond its inputs, B 1, d ${dim}, relaxed`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const peaks = [false, true].map((causal) => ({ causal, bytes: times.map((time) => peakOf(time, causal)) }));
    return {
      rows: peaks.flatMap(({ causal, bytes }) =>
        times.map((time, i) => ({
          name: `${causal ? 'causal, ' : ''}T ${time}`,
          form: 'wasm relaxed',
          value: `${(bytes[i]! / 2 ** 20).toFixed(2)} MiB = ${(bytes[i]! / (4 * time * dim)).toFixed(2)} x [T, d]`,
        })),
      ),
      // Twice the time takes at most twice the memory, and a tenth for what does not grow.
      targets: peaks.map(({ causal, bytes }) => ({
        text: `${causal ? 'causal, ' : ''}peak at T 8192 over T 1024`,
        value: bytes.at(-1)! / bytes[0]!,
        atMost: 8.8,
      })),
    };
  },
};

function peakOf(time: number, causal: boolean): number {
  const inputs = [1, 2, 3, 4].map((seed) => tf.randomNormal<tf.Rank.R3>([1, time, dim], 0, 1, 'float32', seed));
  const mix = (...args: tf.Tensor[]) => {
    const [query, key, value] = args as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
    return aftSimple(query, key, value, { causal });
  };
  const run = () => tf.dispose(tf.grads(mix)(inputs.slice(0, 3), inputs[3]));
  const backend = tf.backend() as unknown as WasmBackend;
  const peak = peakHeapBytes(backend, run);
  tf.dispose(inputs);
  return peak;
}
