import { aftConv1d } from '@mixfold/aft';
import type { WasmBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Measurement } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';
import { peakHeapBytes } from '../peak-heap-bytes';

const [time, dim, window] = [65536, 64, 31];
const most = 8;

/** Peak heap of forward and backward together, beyond the inputs, of a long sequence. */
export const aftConvMemoryCase: BenchCase = {
  name: 'aft-conv-1d-memory',
  about: `peak WASM heap of AFT-conv forward + backward beyond its inputs, B 1, T ${time}, d ${dim}, window ${window}, relaxed`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const peaks = [1, 16, 64].flatMap((heads) =>
      [false, true].map((causal) => ({
        name: `${heads} heads${causal ? ', causal' : ''}`,
        buffers: convBuffers(time, heads, causal),
      })),
    );
    return {
      rows: peaks.map(({ name, buffers }) => ({ name, form: 'wasm relaxed', value: `${buffers.toFixed(2)} x [T, d]` })),
      targets: peaks.map(({ name, buffers }) => ({ text: `${name}: buffers of [T, d]`, value: buffers, atMost: most })),
    };
  },
};

/** The most that forward and backward of `aftConv1d` hold at once on the WASM heap beside their inputs, in buffers of `[time, dim]`. */
export function convBuffers(steps: number, heads: number, causal: boolean): number {
  const [query, value, dOutput] = [1, 2, 3].map((seed) => tf.randomNormal<tf.Rank.R3>([1, steps, dim], 0, 1, 'float32', seed));
  const key = tf.randomNormal<tf.Rank.R3>([1, steps, heads], 0, 1, 'float32', 4);
  const kernel = tf.randomNormal<tf.Rank.R2>([heads, window], 0, 1, 'float32', 5);
  const mix = (...[q, k, v, w]: tf.Tensor[]) =>
    aftConv1d(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, w as tf.Tensor2D, { causal });
  const run = () => tf.dispose(tf.grads(mix)([query!, key, value!, kernel], dOutput));
  const peak = peakHeapBytes(tf.backend() as unknown as WasmBackend, run);
  tf.dispose([query!, key, value!, dOutput!, kernel]);
  return peak / (4 * steps * dim);
}
