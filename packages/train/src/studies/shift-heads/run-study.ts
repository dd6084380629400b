import type { TrainState } from '../../checkpoint/checkpoint-state';
import { windowBatch } from '../../data/sample-batch';
import type { TextCorpus } from '../../data/text-corpus';
import { languageModel } from '../../model/language-model';
import { countParams, disposeParams } from '../../model/params';
import { createRandom } from '../../random/random';
import { attentionContestants, convolutionContestants, OBSERVED, type StudySizes } from './contestants';
import { byLikeness, type ObservedHead, observeHeads } from './observe-heads';
import { lossWith, type Replacement } from './replace-heads';
import { type Training, trainContestant } from './train-contestant';

/** A study: sizes, training, and how often it is repeated. */
export interface StudyConfig extends StudySizes, Training {
  /** 1 to `seeds`: weights and batches. */
  readonly seeds: number;
  /** Held-out windows that losses are measured on, spread over the text. */
  readonly windows: number;
}

/** One training of one model. */
export interface StudyRun {
  readonly model: string;
  readonly group: 'attention' | 'convolution';
  readonly seed: number;
  readonly weights: number;
  /** Held-out loss, nats per byte. */
  readonly loss: number;
  readonly trainingLosses: number[];
  readonly seconds: number;
}

/** Held-out loss with some heads of a model replaced. */
export interface StudyReplacement {
  readonly seed: number;
  readonly kind: 'most shift-like heads by their shifts' | 'random heads by their shifts' | 'most shift-like heads by their mean';
  readonly count: number;
  readonly replacements: readonly Replacement[];
  readonly lossBefore: number;
  readonly lossAfter: number;
}

/** Everything that came out. */
export interface StudyResult {
  readonly config: StudyConfig;
  readonly text: string;
  readonly runs: StudyRun[];
  /** Scores of the heads of the observed model over its training. */
  readonly heads: (ObservedHead & { readonly seed: number; readonly step: number })[];
  readonly replacements: StudyReplacement[];
}

/** Held-out windows whose attention maps are scored. */
const SCORED_WINDOWS = 8;

/**
 * Asks two questions of the paper on mixed products: do trained attention heads act like shifts, so that true shifts can take their place; and what does a
 * structured convolution lose with fewer terms or factors?
 *
 * @param report - called after every training with what it was and how it went.
 */
export async function runStudy(
  corpus: TextCorpus,
  config: StudyConfig,
  report: (run: StudyRun, done: number, of: number) => void = () => {},
): Promise<StudyResult> {
  const { seeds, context, batch, steps, windows } = config;
  const text = corpus.validation;
  const starts = spread(text.length - 1, context, windows);
  const result: StudyResult = { config, text: corpus.source, runs: [], heads: [], replacements: [] };
  const groups = { attention: attentionContestants(config), convolution: convolutionContestants(config) };
  const all = Object.entries(groups).flatMap(([group, contestants]) =>
    contestants.map((contestant) => ({ group: group as StudyRun['group'], contestant })),
  );

  for (let seed = 1; seed <= seeds; seed++) {
    for (const { group, contestant } of all) {
      const began = performance.now();
      const model = languageModel(contestant.config);
      const isObserved = contestant.name === OBSERVED;
      const look = async ({ step, params }: TrainState) => {
        if (!isObserved) return;
        const scored = windowBatch(text, spread(text.length - 1, context, SCORED_WINDOWS), context);
        for (const head of await observeHeads(model, params, scored)) result.heads.push({ seed, step, ...head });
        scored.inputs.dispose();
        scored.targets.dispose();
      };
      const stops = isObserved ? [1, 2, 3].map((quarter) => Math.round((quarter * steps) / 4)) : [];
      const { state, losses } = await trainContestant(model, corpus, config, seed, stops, look);
      const measure = (replacements: readonly Replacement[]) =>
        lossWith(model, state.params, text, { context, starts, batch }, replacements);
      const loss = await measure([]);
      const run: StudyRun = {
        model: contestant.name,
        group,
        seed,
        weights: countParams(state.params),
        loss,
        trainingLosses: losses,
        seconds: (performance.now() - began) / 1000,
      };
      result.runs.push(run);
      report(run, result.runs.length, seeds * all.length);
      if (isObserved) {
        const last = result.heads.filter((head) => head.seed === seed && head.step === steps);
        result.replacements.push(...(await replaceOneByOne(last, seed, loss, measure)));
      }
      disposeParams(state.params);
      for (const tensor of Object.values(state.optimizer.tensors)) tensor.dispose();
    }
  }
  return result;
}

/** Replaces more and more heads: the most shift-like ones, and as controls as many random ones, and the same ones by their mean output. */
async function replaceOneByOne(
  heads: readonly ObservedHead[],
  seed: number,
  lossBefore: number,
  measure: (replacements: readonly Replacement[]) => Promise<number>,
): Promise<StudyReplacement[]> {
  const ranked = byLikeness(heads);
  const random = createRandom(1000 + seed);
  const shuffled = [...heads];
  for (let i = shuffled.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [shuffled[i], shuffled[j]] = [shuffled[j]!, shuffled[i]!];
  }
  const byShift = ({ layer, head, bestOffset }: ObservedHead): Replacement => ({ layer, head, offset: bestOffset });
  const byMean = ({ layer, head }: ObservedHead): Replacement => ({ layer, head, offset: 'mean' });
  const kinds = [
    ['most shift-like heads by their shifts', ranked, byShift],
    ['random heads by their shifts', shuffled, byShift],
    ['most shift-like heads by their mean', ranked, byMean],
  ] as const;
  const found: StudyReplacement[] = [];
  for (let count = 1; count <= heads.length; count++) {
    for (const [kind, order, replace] of kinds) {
      const replacements = order.slice(0, count).map(replace);
      found.push({ seed, kind, count, replacements, lossBefore, lossAfter: await measure(replacements) });
    }
  }
  return found;
}

/** Starts of `count` windows, evenly over a text. */
function spread(length: number, context: number, count: number): number[] {
  const available = Math.floor(length / context);
  const taken = Math.min(count, available);
  return Array.from({ length: taken }, (_, i) => Math.floor((i * available) / taken) * context);
}
