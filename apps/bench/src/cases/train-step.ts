import { adamWState, adamWStep, type WasmBuild } from '@mixfold/tensor-ops';
import * as tf from '@tensorflow/tfjs-core';
// Registers the gradients of tfjs's ops, which tfjs-core does not.
import '@tensorflow/tfjs-layers';
import { assertNear } from '../assert-near';
import type { BenchCase, Contest } from '../bench-case';
import { useOurKernels, useStockKernels } from '../kernels-in-use';
import { mixfoldLayer } from './mixfold-layer';
import { type LayerWeights, layerSizes, layerWeights, transformerLayer, weightNames } from './transformer-layer';

const { batch, time, dim } = layerSizes;

/** One way to write the step. */
export interface Step {
  readonly name: string;
  readonly form: string;
  enter(): Promise<void> | void;
  /** One step of Adam. */
  run(): void;
  /** The loss and its gradient in every weight, at the weights before the first step. */
  gradients(): { loss: tf.Scalar; gradients: tf.Tensor[] };
  dispose(): void;
}

/** The training step of a layer: as a user of tfjs writes it, on tfjs's kernels and on ours, and as a user of ours does. */
export const trainStepCase: BenchCase = {
  name: 'train-step',
  about: 'training step of a transformer layer: d 128, 4 heads, F 512, T 64, B 8, Adam',
  prepare,
};

const loss = (output: tf.Tensor, target: tf.Tensor) => tf.mean(tf.square(tf.sub(output, target))) as tf.Scalar;

/** Plain tfjs: variables, `tf.train.adam`. */
function tfjsStep(names: Pick<Step, 'name' | 'form' | 'enter'>, x: tf.Tensor, target: tf.Tensor): Step {
  const weights = layerWeights();
  const variables = Object.values(weights);
  const optimizer = tf.train.adam(1e-3);
  const lossNow = () => loss(transformerLayer(x, weights), target);
  return {
    ...names,
    run() {
      optimizer.minimize(lossNow, false, variables);
    },
    gradients() {
      const { value, grads } = tf.variableGrads(lossNow, variables);
      return { loss: value, gradients: variables.map(({ name }) => grads[name]!) };
    },
    dispose() {
      tf.dispose(variables);
      optimizer.dispose();
    },
  };
}

/** The primitives of `@mixfold/tensor-ops`, and its AdamW without decay. */
function mixfoldStep(names: Pick<Step, 'name' | 'form' | 'enter'>, x: tf.Tensor, target: tf.Tensor): Step {
  const variables = layerWeights();
  let weights: tf.Tensor[] = weightNames.map((name) => variables[name].clone());
  tf.dispose(Object.values(variables));
  let state = adamWState(weights);
  const lossOf = (...given: tf.Tensor[]) => {
    const named = Object.fromEntries(given.map((weight, i) => [weightNames[i]!, weight]));
    return loss(mixfoldLayer(x, named as Record<keyof LayerWeights, tf.Tensor>), target);
  };
  return {
    ...names,
    run() {
      const next = tf.tidy(() => adamWStep(weights, tf.grads(lossOf)(weights), state, { rate: 1e-3, weightDecay: 0 }));
      tf.dispose([...weights, state.mean, state.square]);
      ({ parameters: weights, state } = next);
    },
    gradients() {
      const { value, grads } = tf.valueAndGrads(lossOf)(weights);
      return { loss: value as tf.Scalar, gradients: grads };
    },
    dispose: () => tf.dispose([...weights, state.mean, state.square]),
  };
}

const builds: readonly WasmBuild[] = ['simd128', 'relaxed'];

/** What the steps learn. */
export const stepData = () => ({
  x: tf.randomNormal([batch, time, dim], 0, 1, 'float32', 1),
  target: tf.randomNormal([batch, time, dim], 0, 1, 'float32', 2),
});

/** The step by our primitives in both builds. */
export const mixfoldSteps = (x: tf.Tensor, target: tf.Tensor): Step[] =>
  builds.map((build) => {
    const names = { name: `step, mixfold ${build}`, form: `our primitives and AdamW, wasm ${build}` };
    return mixfoldStep({ ...names, enter: () => useOurKernels(build) }, x, target);
  });

async function prepare(): Promise<Contest> {
  const { x, target } = stepData();
  const contestants = [
    tfjsStep({ name: 'step, tfjs', form: 'tfjs ops, stock tfjs-wasm', enter: useStockKernels }, x, target),
    ...builds.map((build) => {
      const names = { name: `step, ours ${build}`, form: `tfjs ops, our kernels, wasm ${build}` };
      return tfjsStep({ ...names, enter: () => useOurKernels(build) }, x, target);
    }),
    ...mixfoldSteps(x, target),
  ];

  return {
    contestants,
    async check() {
      const results = [];
      for (const { enter, gradients } of contestants) {
        await enter();
        const made = gradients();
        const read = await Promise.all(made.gradients.map((gradient) => gradient.data()));
        results.push({ loss: await made.loss.data(), gradients: read });
        tf.dispose([made.loss, ...made.gradients]);
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
      builds.flatMap((build) => [
        {
          text: `step, ours ${build}, over tfjs`,
          value: medians('step, tfjs') / medians(`step, ours ${build}`),
          atLeast: 6,
        },
        {
          text: `step, mixfold ${build}, over tfjs`,
          value: medians('step, tfjs') / medians(`step, mixfold ${build}`),
          atLeast: 6,
        },
      ]),
    dispose() {
      tf.dispose([x, target]);
      for (const contestant of contestants) contestant.dispose();
    },
  };
}
