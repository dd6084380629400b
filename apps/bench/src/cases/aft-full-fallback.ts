import { aftFull, aftFullFallback } from '@mixfold/aft';
import * as tf from '@tensorflow/tfjs-core';
import type { BenchCase, Measurement } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';

const [time, dim] = [512, 64];
const deviations = [1, 5, 10, 20, 30, 100];

/** How much of AFT-full the product with separate maxima cannot hold, and what that costs, for normal keys and biases of growing deviation. */
export const aftFullFallbackCase: BenchCase = {
  name: 'aft-full-fallback',
  about: `AFT-full: elements computed directly, B 1, T ${time}, d ${dim}, wasm relaxed; keys and biases normal`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const found = [false, true].map((causal) =>
      deviations.map((deviation) => ({ causal, deviation, ...shareAt(deviation, causal) })),
    );
    const of = (causal: boolean, deviation: number) => found[Number(causal)]!.find((row) => row.deviation === deviation)!.share;
    return {
      rows: found.flat().map(({ causal, deviation, share, milliseconds }) => ({
        name: `${causal ? 'causal, ' : ''}deviation ${deviation}`,
        form: 'wasm relaxed',
        value: `${(100 * share).toFixed(2)} % directly, forward ${milliseconds.toFixed(2)} ms`,
      })),
      targets: [
        { text: 'share at deviation 10', value: of(false, 10), atMost: 0.01 },
        { text: 'share at deviation 10, causal', value: of(true, 10), atMost: 0.01 },
      ],
    };
  },
};

function shareAt(deviation: number, causal: boolean): { share: number; milliseconds: number } {
  const normal = (shape: number[], seed: number, spread = 1) => tf.randomNormal(shape, 0, spread, 'float32', seed);
  const [query, value] = [normal([1, time, dim], 1), normal([1, time, dim], 2)] as [tf.Tensor3D, tf.Tensor3D];
  const [key, bias] = [normal([1, time, dim], 3, deviation) as tf.Tensor3D, normal([time, time], 4, deviation) as tf.Tensor2D];
  const run = () => aftFull(query, key, value, bias, { causal }).dispose();
  run();
  aftFullFallback();
  const times = [1, 2, 3].map(() => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  const { elements, redone } = aftFullFallback();
  tf.dispose([query, key, value, bias]);
  return { share: redone / elements, milliseconds: Math.min(...times) };
}
