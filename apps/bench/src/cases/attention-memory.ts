import { scaledDotProductAttention } from '@mixfold/mixed-product';
import type { WasmBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Measurement } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';
import { peakHeapBytes } from '../peak-heap-bytes';

const [heads, headDim] = [2, 8];

/** Peak heap of forward and backward beyond the inputs: it grows with T, not with its square. */
export const attentionMemoryCase: BenchCase = {
  name: 'attention-memory',
  about: `peak WASM heap of attention forward + backward beyond its inputs, B 1, H ${heads}, D ${headDim}, relaxed`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const peaks = [1024, 8192].map((time) => ({ time, bytes: attentionPeak(time) }));
    return {
      rows: peaks.map(({ time, bytes }) => ({
        name: `T ${time}`,
        form: 'wasm relaxed',
        value: `${(bytes / 2 ** 20).toFixed(2)} MiB = ${((100 * bytes) / (4 * heads * time * time)).toFixed(2)} % of [H, T, T]`,
      })),
      targets: [{ text: 'peak at T 8192 over T 1024', value: peaks[1]!.bytes / peaks[0]!.bytes, atMost: 8.8 }],
    };
  },
};

/** The most bytes that forward and backward of causal attention over `time` steps hold at once on the WASM heap beside their inputs. */
export function attentionPeak(time: number): number {
  const [query, key, value, dOutput] = [1, 2, 3, 4].map((seed) =>
    tf.randomNormal<tf.Rank.R4>([1, heads, time, headDim], 0, 1, 'float32', seed),
  ) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
  const mix = (...[q, k, v]: tf.Tensor[]) =>
    scaledDotProductAttention(q as tf.Tensor4D, k as tf.Tensor4D, v as tf.Tensor4D, {
      causal: true,
      dropout: { rate: 0.1, seed: 1 },
    });
  const run = () => tf.dispose(tf.grads(mix)([query, key, value], dOutput));
  const peak = peakHeapBytes(tf.backend() as unknown as WasmBackend, run);
  tf.dispose([query, key, value, dOutput]);
  return peak;
}
