import { createHash } from 'node:crypto';
import { implementationOf } from '@mixfold/tensor-ops';
import * as v from 'valibot';
import { CheckpointError } from '../checkpoint/checkpoint-error';
import { readTextCorpus } from '../data/read-text-corpus';
import type { TextCorpus } from '../data/text-corpus';
import { InputError } from '../input-error';
import { type LanguageModel, languageModel } from '../model/language-model';
import { parseLanguageModelConfig } from '../model/language-model-config';
import { mixerNames } from '../model/mixers';
import type { TokenMixer } from '../model/token-mixer';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

const runConfigSchema = v.strictObject({
  format: v.literal('mixfold run 1'),
  task: v.literal('text'),
  mixer: v.picklist(mixerNames),
  /** Path of the text; null for the default text. */
  data: v.nullable(v.string()),
  /** Of the text, so that a run goes on with the text it began with. */
  textSha256: v.string(),
  steps: count,
  batch: count,
  context: count,
  dim: count,
  layers: count,
  rate: v.pipe(v.number(), v.finite(), v.gtValue(0)),
  seed: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
});

/** Everything that decides what a run computes. It stands in `config.json` and in every checkpoint. */
export type RunConfig = v.InferOutput<typeof runConfigSchema>;

/** Checks the configuration of a checkpoint. @throws CheckpointError naming the field */
export function parseRunConfig(config: unknown, directory: string): RunConfig {
  const result = v.safeParse(runConfigSchema, config);
  if (result.success) return result.output;
  const field = v.getDotPath(result.issues[0]!) ?? 'all of it';
  throw new CheckpointError(
    `${directory} holds no run that this version can go on with (config: ${field}); give a folder that mixfold train wrote`,
  );
}

/** The model of a run. Learned positions end with the sequences that it trains on. */
export function modelOf({ mixer, dim, layers, context }: RunConfig): LanguageModel {
  const sizes = { mixer, dim, layers };
  const { position } = parseLanguageModelConfig(sizes);
  return languageModel(position === 'learned' ? { ...sizes, maxLength: context } : sizes);
}

/** Which form of the mixer's operator runs for the sizes of a run, in words. */
export function formOf({ batch, context, dim }: RunConfig, { operator, shapes }: TokenMixer): string {
  const { form, build, backend } = implementationOf(operator, shapes({ batch, time: context }, dim));
  return `${operator.spec.name} ${form} on ${backend}${build ? ` ${build}` : ''}`;
}

/** SHA-256 of a text. */
export function digestOfCorpus({ training, validation }: TextCorpus): string {
  return createHash('sha256').update(training).update(validation).digest('hex');
}

/**
 * The text of a run, from where it was or from another path.
 *
 * @throws InputError if it is no longer the text that the run began with.
 */
export async function readCorpusOf(config: RunConfig, path?: string): Promise<TextCorpus> {
  const corpus = await readTextCorpus(path ?? config.data ?? undefined, config.context);
  if (digestOfCorpus(corpus) === config.textSha256) return corpus;
  throw new InputError(`--data ${corpus.source} is not the text that the run began with: give the same text, or train anew`);
}
