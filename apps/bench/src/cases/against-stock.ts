import type { WasmBuild } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients of tfjs's ops, which tfjs-core does not.
import '@tensorflow/tfjs-layers';
import { assertNear } from '../assert-near';
import type { Contest, Contestant, Target } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';

/** The same work twice: with our kernels, and as a user of tfjs's WASM backend writes it, with its own. */
export interface Pair {
  /** Unique within the case. */
  readonly name: string;
  readonly ours: () => tf.Tensor | tf.Tensor[];
  readonly stock: () => tf.Tensor | tf.Tensor[];
  /** The least ratio of tfjs's time to ours. Default 1. */
  readonly atLeast?: number;
  /** How near the results are to be, which tfjs's digits limit; absent for random ones, of which the means are compared. Default 1e-5. */
  readonly bound?: number | 'means';
}

/** Forward and backward of the same function, for `Pair`: its gradients in all inputs, for a gradient `dy` of its result. */
export function backward(run: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[], dy: tf.Tensor): () => tf.Tensor[] {
  const gradients = tf.grads(run);
  return () => gradients(inputs, dy);
}

/** A contest of pairs in one build. `inputs` are disposed at its end. */
export function againstStock(build: WasmBuild, inputs: readonly tf.Tensor[], pairs: readonly Pair[]): Contest {
  const [oursOf, stockOf] = [(pair: Pair) => `${pair.name}, ours`, (pair: Pair) => `${pair.name}, tfjs`];
  const contestants = pairs.flatMap((pair): Contestant[] => [
    { name: oursOf(pair), form: `wasm ${build}`, enter: () => useOurKernels(build), run: () => tf.dispose(pair.ours()) },
    { name: stockOf(pair), form: 'stock tfjs-wasm', enter: useStockKernels, run: () => tf.dispose(pair.stock()) },
  ]);
  return {
    contestants,
    async check() {
      for (const pair of pairs) {
        await useOurKernels(build);
        const ours = await read(pair.ours());
        useStockKernels();
        const stock = await read(pair.stock());
        if (ours.length !== stock.length)
          throw new Error(`${pair.name}: ${ours.length} results of ours, ${stock.length} of tfjs`);
        for (const [i, values] of ours.entries()) {
          const { bound = 1e-5 } = pair;
          if (bound === 'means') assertNear(`the mean of ${pair.name}`, [mean(values)], [mean(stock[i]!)], 1e-2);
          else assertNear(`result ${i} of ${pair.name}`, values, stock[i]!, bound);
        }
      }
    },
    targets: (medians) =>
      pairs.map((pair): Target => {
        const value = medians(stockOf(pair)) / medians(oursOf(pair));
        return { text: `${pair.name}, ours over tfjs`, value, atLeast: pair.atLeast ?? 1 };
      }),
    dispose: () => tf.dispose([...inputs]),
  };
}

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

async function read(made: tf.Tensor | tf.Tensor[]): Promise<ArrayLike<number>[]> {
  const tensors = Array.isArray(made) ? made : [made];
  const values = await Promise.all(tensors.map((tensor) => tensor.data()));
  tf.dispose(tensors);
  return values;
}
