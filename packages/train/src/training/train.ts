import { checkOptions, OptionError } from '@mixfold/tensor-ops';
import { nextFrame } from '@tensorflow/tfjs-core';
import type { TrainState } from '../checkpoint/checkpoint-state';
import { saveCheckpoint } from '../checkpoint/save-checkpoint';
import type { TextCorpus } from '../data/text-corpus';
import type { Model } from '../model/model';
import { countParams, disposeParams } from '../model/params';
import { adamW } from '../optimizer/adam-w';
import { cosineSchedule } from '../optimizer/cosine-schedule';
import type { Optimizer, OptimizerState } from '../optimizer/optimizer';
import { createRandom, restoreRandom } from '../random/random';
import { bitsPerByte, evaluate } from './evaluate';
import { Pace } from './pace';
import type { TrainEvent } from './train-event';
import { trainStep } from './train-step';
import { TrainingError } from './training-error';

/** A training run. */
export interface TrainConfig {
  model: Model;
  corpus: TextCorpus;
  /** Steps in all, those of an earlier part included. */
  steps: number;
  /** Sequences of a batch; default 16. */
  batch?: number;
  /** Bytes of a sequence; default 128. */
  context?: number;
  /** Highest rate of the cosine schedule; default 3e-3. */
  rate?: number;
  /** Of the weights and the batches; default 1. */
  seed?: number;
  /** Default AdamW. */
  optimizer?: Optimizer;
  /** Rate of every step, counted from 0; default warm-up and cosine to `rate`. */
  schedule?: (step: number) => number;
  /** Gradients longer than this are scaled down to it; default 1. */
  maximumNorm?: number;
  /** Steps between evaluations on `evaluateWindows` windows of the validation text; default a tenth of all steps. */
  evaluateEvery?: number;
  /** Default 64; the evaluation at the end takes all. */
  evaluateWindows?: number;
  /** Where and how often the run is saved, and what is saved beside its state; it is also saved when it ends or is stopped. */
  checkpoint?: { directory: string; every: number; config: Record<string, unknown> };
  /** Goes on from here; the tensors belong to the run from then on. */
  state?: TrainState;
  /** Stops the run after the step in progress. */
  signal?: AbortSignal;
}

/**
 * Trains a model of the next byte, one event at a time: nothing happens between two requests for an event.
 *
 * Batches, weights and schedule follow from the seed. On WASM simd128 two runs of one configuration are equal bit for bit, and so
 * is a run that was stopped and went on from its checkpoint. Leaving the loop early frees everything that the run holds.
 *
 * @throws TrainingError if the loss is no longer finite; the last checkpoint stands.
 * @example
 * for await (const event of train({ model, corpus, steps: 300 })) {
 *   if (event.event === 'step') console.log(event.step, event.loss);
 * }
 */
export async function* train(config: TrainConfig): AsyncGenerator<TrainEvent, void, undefined> {
  const { model, corpus, steps, batch, context, seed, rate, maximumNorm, evaluateEvery, evaluateWindows } = withDefaults(config);
  const { checkpoint, signal } = config;
  const optimizer = config.optimizer ?? adamW();
  const schedule = config.schedule ?? cosineSchedule({ rate, steps });
  const random = config.state ? restoreRandom(config.state.random) : createRandom(seed);
  let params = config.state?.params ?? model.init(random);
  let memory: OptimizerState = config.state?.optimizer ?? optimizer.initialState(params);
  let step = config.state?.step ?? 0;
  let handedOver = false;
  const began = performance.now();
  const snapshot = (): TrainState => ({ step, params, optimizer: memory, random: random.state() });
  const save = async (): Promise<TrainEvent> => {
    await saveCheckpoint(checkpoint!.directory, { ...snapshot(), config: checkpoint!.config });
    return { event: 'checkpoint', step, directory: checkpoint!.directory };
  };

  try {
    yield { event: 'start', step, steps, weights: countParams(params) };
    const pace = new Pace(batch * context);
    let saved = -1;
    while (step < steps && !signal?.aborted) {
      const stepRate = schedule(step);
      const { loss, norm, ...next } = trainStep({
        model,
        params,
        optimizer,
        memory,
        text: corpus.training,
        batch,
        context,
        random,
        rate: stepRate,
        maximumNorm,
      });
      disposeParams(params);
      for (const tensor of Object.values(memory.tensors)) tensor.dispose();
      ({ params, memory } = next);
      step++;
      const [lossNow, gradientNorm] = await Promise.all([loss, norm].map(async (scalar) => (await scalar.data())[0]!));
      loss.dispose();
      norm.dispose();
      if (!Number.isFinite(lossNow) || !Number.isFinite(gradientNorm)) {
        throw new TrainingError(
          `the loss is ${lossNow} at step ${step}, with a gradient of norm ${gradientNorm}: train again with a smaller rate`,
        );
      }
      pace.count();
      yield {
        event: 'step',
        step,
        steps,
        loss: lossNow!,
        bitsPerByte: bitsPerByte(lossNow!),
        rate: stepRate,
        gradientNorm: gradientNorm!,
        tokensPerSecond: pace.tokensPerSecond(),
        secondsLeft: pace.secondsFor(steps - step),
      };
      if (step % evaluateEvery === 0 && step < steps) {
        yield {
          event: 'evaluate',
          step,
          ...(await evaluate(model, params, corpus.validation, { context, batch, windows: evaluateWindows })),
        };
      }
      if (checkpoint && step % checkpoint.every === 0) {
        yield await save();
        saved = step;
      }
      // Signals and timers get their turn.
      await nextFrame();
    }
    if (checkpoint && saved !== step) yield await save();
    if (step >= steps)
      yield { event: 'evaluate', step, ...(await evaluate(model, params, corpus.validation, { context, batch })) };
    handedOver = true;
    yield { event: 'end', step, stopped: step < steps, seconds: (performance.now() - began) / 1000, state: snapshot() };
  } finally {
    if (!handedOver) {
      disposeParams(params);
      for (const tensor of Object.values(memory.tensors)) tensor.dispose();
    }
  }
}

function withDefaults(config: TrainConfig) {
  const { model, corpus, optimizer: _, schedule: __, checkpoint: ___, state: ____, signal: _____, ...options } = config;
  checkOptions('train', options, {
    steps: 'positiveInteger',
    batch: 'positiveInteger',
    context: 'positiveInteger',
    rate: 'positive',
    seed: 'nonNegativeInteger',
    maximumNorm: 'positive',
    evaluateEvery: 'positiveInteger',
    evaluateWindows: 'positiveInteger',
  });
  for (const name of ['model', 'corpus', 'steps'] as const) {
    if (config[name] === undefined) throw new OptionError(`train: option ${name} is missing`);
  }
  const { steps, batch = 16, context = 128, rate = 3e-3, seed = 1, maximumNorm = 1, evaluateWindows = 64 } = options;
  const { evaluateEvery = Math.max(1, Math.round(steps / 10)) } = options;
  return { model, corpus, steps, batch, context, rate, seed, maximumNorm, evaluateEvery, evaluateWindows };
}
