import { aftLocal, type PositionBias } from '@mixfold/aft';
import type { WasmBackend } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Measurement } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';
import { peakHeapBytes } from '../peak-heap-bytes';

const [time, dim, windowSize, rank] = [65_536, 64, 32, 16];
const kinds = ['banded', 'factored'] as const;

/** Peak heap of AFT-local beyond its inputs, in buffers of `[time, dim]`. */
export function localPeak(kind: (typeof kinds)[number], isTrained: boolean, causal = false): number {
  const draw = (seed: number) => tf.randomNormal<tf.Rank.R3>([1, time, dim], 0, 1, 'float32', seed);
  const table = (columns: number) => tf.randomNormal<tf.Rank.R2>([time, columns], 0, 0.3);
  const [query, key, value, dy] = [1, 2, 3, 4].map(draw) as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, tf.Tensor3D];
  const bias = kind === 'banded' ? { band: table(2 * windowSize - 1) } : { u: table(rank), v: table(rank) };
  const names = Object.keys(bias);
  const mix = (...[q, k, v, ...tables]: tf.Tensor[]) => {
    const given = Object.fromEntries(names.map((name, i) => [name, tables[i]!])) as unknown as PositionBias;
    return aftLocal(q as tf.Tensor3D, k as tf.Tensor3D, v as tf.Tensor3D, given, { windowSize, causal });
  };
  const inputs = [query, key, value, ...Object.values<tf.Tensor>(bias)];
  const run = () => (isTrained ? tf.dispose(tf.grads(mix)(inputs, dy)) : mix(...inputs).dispose());
  const peak = peakHeapBytes(tf.backend() as unknown as WasmBackend, run);
  tf.dispose([...inputs, dy]);
  return peak / (4 * time * dim);
}

export const aftLocalMemoryCase: BenchCase = {
  name: 'aft-local-memory',
  about: `peak WASM heap of AFT-local beyond its inputs, B 1, T ${time}, d ${dim}, s ${windowSize}, relaxed`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const peaks = kinds.flatMap((kind) =>
      [false, true].map((isTrained) => ({
        name: `${kind}, ${isTrained ? 'forward + backward' : 'forward'}`,
        peak: localPeak(kind, isTrained),
      })),
    );
    return {
      rows: peaks.map(({ name, peak }) => ({ name, form: 'wasm relaxed', value: `${peak.toFixed(2)} x [T, d]` })),
      targets: peaks.map(({ name, peak }) => ({ text: `buffers of [T, d], ${name}`, value: peak, atMost: 8 })),
    };
  },
};
