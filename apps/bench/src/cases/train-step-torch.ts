import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { assertNear } from '../assert-near';
import type { BenchCase, Measurement } from '../bench-case';
import { interleave } from '../interleave';
import { TorchTrainStep } from '../peers/torch-train-step';
import { mixfoldSteps, stepData } from './train-step';
import { layerSizes, layerWeights, weightNames } from './transformer-layer';

const ROUNDS = 15;

/** The step by our primitives over that of PyTorch, eager, on one thread, turn about. */
export const trainStepTorchCase: BenchCase = {
  name: 'train-step-pytorch',
  about: 'the same step against PyTorch, eager, one thread',
  measure,
};

async function measure(): Promise<Measurement> {
  const data = stepData();
  const weights = layerWeights();
  const steps = mixfoldSteps(data.x, data.target);
  // Read from the bundle in dist/ and from its source alike.
  const script = join(import.meta.dirname, '..', 'src', 'peers', 'torch_train_step.py');
  const started = await TorchTrainStep.start(script, layerSizes, weights, data).catch((error: Error) => error.message);
  try {
    if (started === null || typeof started === 'string') {
      return { rows: [{ name: 'PyTorch', form: 'not measured', value: started ?? 'the process ended' }], targets: [] };
    }
    const { torch, made } = started;
    for (const { enter, gradients, name } of steps) {
      await enter();
      const own = gradients();
      assertNear(`the loss of ${name}`, own.loss.dataSync(), [made.loss], 1e-5);
      weightNames.forEach((weight, i) => {
        assertNear(`the gradient in ${weight} of ${name}`, own.gradients[i]!.dataSync(), made.gradients[weight]!, 1e-5);
      });
      tf.dispose([own.loss, ...own.gradients]);
    }
    await torch.sample(5);
    const samples = new Map<string, number[]>([['PyTorch', []], ...steps.map(({ name }) => [name, []] as [string, number[]])]);
    for (let round = 0; round < ROUNDS; round++) {
      samples.get('PyTorch')!.push(await torch.sample(1));
      for (const { name, median } of await interleave(steps, { rounds: 1, sampleMs: 6 })) samples.get(name)!.push(median);
    }
    const sorted = (name: string) => samples.get(name)!.sort((a, b) => a - b);
    const median = (name: string) => sorted(name)[ROUNDS >> 1]!;
    const rowOf = (name: string, form: string) => ({
      name,
      form,
      value: `min ${sorted(name)[0]!.toFixed(3)} ms  median ${median(name).toFixed(3)} ms`,
    });
    return {
      rows: [rowOf('PyTorch', `PyTorch ${made.version}, eager`), ...steps.map(({ name, form }) => rowOf(name, form))],
      targets: steps.map(({ name }) => ({ text: `${name}, over PyTorch`, value: median(name) / median('PyTorch'), atMost: 2.5 })),
    };
  } finally {
    if (typeof started === 'object') started?.torch.close();
    tf.dispose([data.x, data.target, ...Object.values(weights)]);
    for (const step of steps) step.dispose();
  }
}
