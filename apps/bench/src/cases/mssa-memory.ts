import { mssa } from '@mixfold/subspace-attention';
import type { WasmBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Measurement } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';
import { peakHeapBytes } from '../peak-heap-bytes';

const [dim, heads, headDim] = [16, 2, 8];

/** Peak heap of forward and backward beyond the inputs: it grows with N, not with its square. */
export const mssaMemoryCase: BenchCase = {
  name: 'mssa-memory',
  about: `peak WASM heap of mssa forward + backward beyond its inputs, B 1, d ${dim}, ${heads} heads of ${headDim}, relaxed`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const peaks = [1024, 8192].map((time) => ({ time, bytes: mssaPeak(time, false) }));
    return {
      rows: peaks.map(({ time, bytes }) => ({
        name: `N ${time}`,
        form: 'wasm relaxed',
        value: `${(bytes / 2 ** 20).toFixed(2)} MiB = ${((100 * bytes) / (4 * heads * time * time)).toFixed(2)} % of [h, N, N]`,
      })),
      targets: [{ text: 'peak at N 8192 over N 1024', value: peaks[1]!.bytes / peaks[0]!.bytes, atMost: 8.8 }],
    };
  },
};

/** The most bytes that forward and backward over `time` tokens hold at once on the WASM heap beside their inputs. */
export function mssaPeak(time: number, causal: boolean): number {
  const [tokens, dy] = [1, 2].map((seed) => tf.randomNormal<tf.Rank.R3>([1, time, dim], 0, 1, 'float32', seed));
  const subspaces = tf.randomNormal<tf.Rank.R3>([heads, dim, headDim], 0, 0.3, 'float32', 3);
  const call = (...[x, u]: tf.Tensor[]) => mssa(x as tf.Tensor3D, u as tf.Tensor3D, { causal }) as tf.Tensor;
  const run = () => tf.dispose(tf.grads(call)([tokens!, subspaces], dy));
  const peak = peakHeapBytes(tf.backend() as unknown as WasmBackend, run);
  tf.dispose([tokens!, dy!, subspaces]);
  return peak;
}
