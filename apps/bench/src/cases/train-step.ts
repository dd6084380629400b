import type { WasmBuild } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients of tfjs's ops, which tfjs-core does not.
import '@tensorflow/tfjs-layers';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { layerSizes, layerWeights, transformerLayer } from './transformer-layer';

const { batch, time, dim } = layerSizes;

/** tfjs's own training step, with tfjs's kernels and with ours. */
export const trainStepCase: BenchCase = {
  name: 'train-step',
  about:
    'stock tfjs step of a transformer layer: d 128, 4 heads, F 512, T 64, B 8, tf.train.adam; enableWasmKernels against none',
  prepare,
};

async function prepare(): Promise<Contest> {
  const x = tf.randomNormal([batch, time, dim], 0, 1, 'float32', 1);
  const target = tf.randomNormal([batch, time, dim], 0, 1, 'float32', 2);
  const contender = (name: string, form: string, enter: () => Promise<void> | void) => {
    const weights = layerWeights();
    const variables = Object.values(weights);
    const optimizer = tf.train.adam(1e-3);
    const loss = () => tf.mean(tf.square(tf.sub(transformerLayer(x, weights), target))) as tf.Scalar;
    const run = () => {
      optimizer.minimize(loss, false, variables);
    };
    return { name, form, enter, run, loss, variables, optimizer };
  };
  const ours = (build: WasmBuild) =>
    contender(`step, ours ${build}`, `tfjs ops, our matMul, wasm ${build}`, () => useOurKernels(build));
  const contestants = [contender('step, tfjs', 'tfjs ops, stock tfjs-wasm', useStockKernels), ours('simd128'), ours('relaxed')];

  return {
    contestants,
    async check() {
      const results = [];
      for (const { enter, loss, variables } of contestants) {
        await enter();
        const { value, grads } = tf.variableGrads(loss, variables);
        results.push({
          loss: await value.data(),
          gradients: await Promise.all(variables.map(({ name }) => grads[name]!.data())),
        });
        tf.dispose([value, grads]);
      }
      const [stock, ...others] = results;
      for (const [i, other] of others.entries()) {
        const name = contestants[i + 1]!.name;
        assertNear(`the loss of ${name}`, other.loss, stock!.loss, 1e-6);
        for (const [j, gradient] of other.gradients.entries()) {
          assertNear(`gradient ${j} of ${name}`, gradient, stock!.gradients[j]!, 5e-6);
        }
      }
    },
    targets: (medians) =>
      ['simd128', 'relaxed'].map((build) => ({
        text: `step, ours ${build}, over tfjs`,
        value: medians('step, tfjs') / medians(`step, ours ${build}`),
        atLeast: 6,
      })),
    dispose() {
      tf.dispose([x, target]);
      for (const { variables, optimizer } of contestants) {
        tf.dispose(variables);
        optimizer.dispose();
      }
    },
  };
}
