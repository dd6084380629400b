import { aftFull, aftFullFallback } from '@mixfold/aft';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-layers';
import type { BenchCase, Measurement } from '../bench-case';
import { useOurKernels } from '../kernels-in-use';

const [time, dim] = [1024, 256];
const deviations = [1, 5, 10, 20, 30, 60];

/** How AFT-full does what one product with separate maxima cannot hold, and what that costs, for normal keys and biases of growing deviation. */
export const aftFullFallbackCase: BenchCase = {
  name: 'aft-full-fallback',
  about: `AFT-full: tiles and elements computed directly, B 1, T ${time}, d ${dim}, wasm relaxed; keys and biases normal`,
  async measure(): Promise<Measurement> {
    await useOurKernels('relaxed');
    const found = [false, true].map((causal) =>
      deviations.map((deviation) => ({ causal, deviation, ...measureAt(deviation, causal) })),
    );
    const of = (causal: boolean, deviation: number) => found[Number(causal)]!.find((row) => row.deviation === deviation)!;
    const over = (deviation: number) => of(false, deviation).forward.milliseconds / of(false, 1).forward.milliseconds;
    return {
      rows: found.flat().flatMap(({ causal, deviation, forward, both }) =>
        Object.entries({ forward, 'forward + backward': both }).map(([what, { milliseconds, work }]) => ({
          name: `${causal ? 'causal, ' : ''}deviation ${deviation}, ${what}`,
          form: 'wasm relaxed',
          value: `${milliseconds.toFixed(1)} ms; ${describe(work)}`,
        })),
      ),
      targets: [
        { text: 'share computed directly at deviation 10', value: directly(of(false, 10).forward.work), atMost: 0.01 },
        // Of a causal call the targets before decide what goes by tiles: its first stripe has none before it.
        {
          text: 'the same, causal, beyond its first 32 targets',
          value: directly(of(true, 10).forward.work) - 32 / time,
          atMost: 0.01,
        },
        { text: 'forward at deviation 20 over that at 1', value: over(20), atMost: 5 },
        { text: 'forward at deviation 30 over that at 1', value: over(30), atMost: 10 },
      ],
    };
  },
};

type Work = ReturnType<typeof aftFullFallback>;

const directly = ({ elements, redone }: Work) => redone / elements;

function describe({ elements, redone, tiled, exponents }: Work): string {
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
  if (tiled === 0) return `one product, ${percent(redone / elements)} directly`;
  return `${percent(tiled / elements)} in tiles, of their exponents ${percent(exponents / (tiled * time))} one by one; ${percent(redone / elements)} directly`;
}

function measureAt(deviation: number, causal: boolean) {
  const normal = (shape: number[], seed: number, spread = 1) => tf.randomNormal(shape, 0, spread, 'float32', seed);
  const mixed = [normal([1, time, dim], 1), normal([1, time, dim], 3, deviation), normal([1, time, dim], 2)];
  const inputs = [...mixed, normal([time, time], 4, deviation)];
  const dy = normal([1, time, dim], 5);
  const call = (...[query, key, value, bias]: tf.Tensor[]) =>
    aftFull(query as tf.Tensor3D, key as tf.Tensor3D, value as tf.Tensor3D, bias as tf.Tensor2D, { causal });
  const gradients = tf.grads(call);
  const result = {
    forward: clock(() => call(...inputs).dispose()),
    both: clock(() => tf.dispose(gradients(inputs, dy))),
  };
  tf.dispose([...inputs, dy]);
  return result;
}

/** The median of three runs, and what they did. */
function clock(run: () => void): { milliseconds: number; work: Work } {
  run();
  aftFullFallback();
  const times = [1, 2, 3].map(() => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return { milliseconds: times.sort((a, b) => a - b)[1]!, work: aftFullFallback() };
}
