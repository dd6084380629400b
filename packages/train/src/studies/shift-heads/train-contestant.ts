import type { TrainState } from '../../checkpoint/checkpoint-state';
import type { TextCorpus } from '../../data/text-corpus';
import type { LanguageModel } from '../../model/language-model';
import { train } from '../../training/train';

/** How every model of a study is trained. */
export interface Training {
  readonly steps: number;
  readonly batch: number;
  readonly context: number;
  readonly rate: number;
}

/**
 * Trains a model and stops at certain steps to have a look: `visit` sees the state, which stays the run's.
 *
 * @returns The state at the end, which the caller disposes, and the training loss by step.
 */
export async function trainContestant(
  model: LanguageModel,
  corpus: TextCorpus,
  { steps, batch, context, rate }: Training,
  seed: number,
  stops: readonly number[],
  visit: (state: TrainState) => Promise<void>,
): Promise<{ state: TrainState; losses: number[] }> {
  const losses: number[] = [];
  let state: TrainState | undefined;
  for (const stop of [...stops.filter((step) => step > 0 && step < steps), steps]) {
    const controller = new AbortController();
    // A run that ends evaluates all held-out text, which takes longer than a short training: this one is stopped a step before.
    const sizes = { batch, context, rate, seed, steps: steps + 1, evaluateEvery: steps + 1 };
    const config = { model, corpus, ...sizes, signal: controller.signal };
    for await (const event of train(state === undefined ? config : { ...config, state })) {
      if (event.event === 'step') losses.push(event.loss);
      if (event.event === 'step' && event.step === stop) controller.abort();
      if (event.event === 'end') state = event.state;
    }
    await visit(state!);
  }
  return { state: state!, losses };
}
